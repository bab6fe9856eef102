"""Breakpoints and watchpoints of a machine, and the conditions that they have.

    breakpoints.py, watchpoints.py    `machine.breakpoints` and `machine.watchpoints`
    arguments.py                      the checks of what users pass to them
    expressions.py, register_names.py conditions: from text to agent bytecode
    breakpoint_table.py, watchpoint_table.py    rows in the memory of native code
    stop_points.py                    from the rows that a hart met to the `Stop` of a run
    searches.py, when.py              `machine.when`

The rows' native side is engine/breakpoints.py and hart/debugging/watchpoints.py. gdb adds rows of
its own to the same tables.
"""
