"""monitor commands, by subject.

command.py            what a command is, and the arguments that several commands have
board_state.py        worlds, devices, interrupts, statistics, translations
maps.py               what page tables map
qemu_and_openocd.py   the names that users of QEMU and OpenOCD know
settings.py           what later steps and accesses do; reset
breakpoints.py        breakpoints with limits that gdb's own can't have
history.py            checkpoints, and going to places of the run
snapshots.py          snapshots of the board, in memory and in files
dispatch.py           from a line to its command; help
monitored_target.py   the target that has these commands
"""
