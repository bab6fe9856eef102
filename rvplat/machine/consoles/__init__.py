"""Where the consoles of a machine are on the host: sockets, pseudoterminals, files."""
