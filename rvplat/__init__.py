"""RISC-V machines, defined in Python and executed by LLVM."""
