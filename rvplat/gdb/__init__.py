"""The gdb remote protocol: packets without sockets, and a machine behind them.

    protocol/    bytes to packets and back, sessions, TCP, Unix sockets, pipes, the server
    commands/    the packets, by subject
    monitor/     monitor commands, by subject
    target/      what commands need of a machine, and the target that is a `Machine`
    evaluation/  expressions and agent bytecode
    attach.py    `rvplat.serve_gdb`

To serve another target, implement `target.interfaces.Target` and pass it to
`commands.session_for`, which makes a session for each client.
"""
