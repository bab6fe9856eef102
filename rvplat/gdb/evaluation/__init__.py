"""Expressions of users and of gdb: compiled to agent bytecode, checked, evaluated."""
