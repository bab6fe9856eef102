"""Load program files into memory, and make the device tree for software."""
