"""Board files: TOML read, merged, checked against a schema; ISA strings and extensions."""
