"""The running machine: `Machine`, `Hart`, the arguments of `Machine.open`, and sub-packages.

boards/      board files: reading, checking, schema, ISA strings
loading/     programs into memory, and the device tree
running/     the system of harts and devices while it runs
inspection/  reports on a machine: translations, statistics, traces
debugging/   breakpoints, watchpoints and their conditions
"""
