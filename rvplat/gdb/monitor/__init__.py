"""monitor commands, by subject.

command.py      what a command is, and what it may use of the board
looks.py        worlds, devices, interrupts, statistics, translations
maps.py         what page tables map
familiar.py     what people type who come from QEMU or OpenOCD
settings.py     what later steps and accesses do; reset
breaks.py       breakpoints that gdb can't ask for
dispatch.py     a line to its command; help
"""
