"""The worlds of a machine, for Python: memory, variables and call stacks of the host and of guests.

world.py        `machine.host`, `machine.guest(vmid)`: memory by a world's addresses
debug_files.py  the ELF files of a world's software, for DWARF
stack.py        `machine.backtrace`: functions and lines, innermost first
unwinding.py    from one frame to its caller
"""
