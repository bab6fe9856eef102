"""The gdb remote protocol, and a machine behind it. Its rooms import one way:

    protocol/    bytes to packets and back, sessions, channels; what a target offers; errors
    commands/    a function for each packet, by subject         imports protocol
    evaluation/  agent bytecode: its check, and commands        imports protocol
    target/      the target that is a `Machine`                 imports protocol, evaluation
    monitor/     monitor commands, by subject                   imports protocol, evaluation, target
    server.py    serves clients                                 imports all of them
    attach.py    `rvplat.serve_gdb`                             imports the server

Breakpoints, watchpoints and conditions belong to the machine (machine/debugging): gdb adds rows to
the same tables as `machine.breakpoints`. docs/internals/gdb.md follows `Z0` and its stop, file by
file.

To serve another target, implement `protocol.interfaces.Target` and pass it to
`commands.session_for`, which makes a session for each client.
"""
