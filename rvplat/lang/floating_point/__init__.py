"""IEEE 754 arithmetic: on the host's unit, and exact in the definition language."""
