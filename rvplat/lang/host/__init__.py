"""LLVM text that differs between hosts: floating-point control, system calls, memory order."""
