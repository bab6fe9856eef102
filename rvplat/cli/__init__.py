"""The commands. Each is a class with `name`, `help`, `configure(parser)` and `run(arguments)`, like
a plugin's command."""
