"""The rows of the vector extensions (`rv_v.py` names them). Bottom up:

- `state`: the vector registers, vtype, vl and the other CSRs; whether an instruction may run.
- `elements`: elements of vector registers, masks, and how a result is written back.
- `groups`: which groups of registers an instruction may name.
- `forms`: the operand forms of arithmetic (.vv, .vx, .vi, .wv, ...), each written once.
- `configuration`, `memory`, `integer`, ...: the instructions.
"""
