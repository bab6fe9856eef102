"""DWARF of ELF files: lines, functions, call frames, types and variables. It knows no machine.

    files.py      `debug_info(path)`: a file's `DebugInfo`, read lazily and kept
    units.py      compilation units and the addresses that they cover
    lines.py      from addresses to source lines, and back
    functions.py  from addresses to functions, and back
    frames.py     how a caller's registers are found (.debug_frame, .eh_frame)
    types.py      types, and values of them in bytes
    variables.py  variables with static addresses, and paths such as `state.counts[3]`

pyelftools reads the sections (DWARF 2 to 5, https://dwarfstd.org). All addresses are as the file
has them. Whatever is wrong with a file is a `DebugInfoError` that names it.
"""
