"""The commands. Each is a class with `name`, `help`, `configure(parser)` and `run(arguments)`, as a
plugin's are."""
