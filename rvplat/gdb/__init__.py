"""The gdb remote protocol: a packet machine without sockets, commands, and a board behind them.

    framing.py      bytes to packets and back
    packets.py      the table: prefix -> handler, in groups from which qSupported follows
    session.py      one client's conversation
    target.py       what commands need of a machine
    commands/*      the packets, by subject
    monitor/*       monitor commands, by subject
    board.py        the target that is a `Machine`; worlds.py, control.py, describe.py beside it
    channels.py     TCP, Unix socket, pipe; lobby.py keeps whoever comes before the board is built
    server.py       serves them

To serve another target, implement `Target` and feed what `commands.session_for` gives.
"""
