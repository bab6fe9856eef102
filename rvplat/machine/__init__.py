"""The running machine: `Machine` and `Hart`, what they are opened with, and four rooms.

boards/      board files: reading, checking, schema, ISA strings
loading/     programs into memory, and the device tree
running/     the system of harts and devices while it runs
inspection/  what a machine did and is: translations, statistics, traces
"""
