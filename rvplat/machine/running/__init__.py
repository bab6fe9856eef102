"""The running system: harts, devices and memory, and the calls between them."""
