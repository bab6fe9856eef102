"""Hooks: stop points whose stop calls Python, and then the hart goes on.

    hook.py      `Hook`: what `machine.on` and its like return
    event.py     `Event`: what a handler gets
    meeting.py   what happens in a hart's thread when it meets hooks
    hooks.py     all hooks of a machine: arms and removes them

A hook is a row of its own in the tables of breakpoints and watchpoints (machine/debugging/), or a
bit of what native code stops for at traps and world switches (hart/debugging/worlds.py).
"""
