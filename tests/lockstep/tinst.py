"""The transformed instructions in htinst and mtinst, derived from the rows of the encoding table
(Privileged, "Transformed Instruction or Pseudoinstruction for mtinst or htinst"). Spike writes
zero, as the manual allows, so this is the second implementation with which `rvplat/hart/tinst.py`
is compared.
"""

from __future__ import annotations

import struct
from functools import cache

from .assembly import encode
from .operands import by_kind
from .program import isa
from .spike import Trapped

PSEUDO = (0x3000, 0x3020)  # for implicit accesses to page tables, which the log doesn't show
DATA_FAULTS = {
    f"trap_{kind}_{fault}"
    for kind in ("load", "store")
    for fault in ("address_misaligned", "access_fault", "page_fault", "guest_page_fault")
}
STACK = 2
COMPRESSED = 2  # bit 1 is clear in the transformation of a compressed instruction


@cache
def transformable() -> frozenset[str]:
    """Names of loads, stores, atomic instructions and cache-block operations (CMOs, "Hypervisor
    Extension")."""
    kinds, wanted = by_kind(isa()), ("memory", "atomic", "guest", "block")
    return frozenset(row.name for kind in wanted for row in kinds[kind])


def expected(event: Trapped, x: bytearray) -> int:
    """The value after an exception of an explicit access. x are the x registers."""
    row = isa().find(event.bits) if event.name in DATA_FAULTS else None
    if row is None or row.name not in transformable():
        return 0
    given = {name: o.extract(event.bits) for name, o in row.pattern.operands.items()}
    rs1 = given.get("rs1", STACK)
    imm = given.get("imm", given.get("uimm", 0))
    (base,) = struct.unpack_from("<Q", x, 8 * rs1)
    offset = (event.tval or 0) - (base + imm) & 31
    full = isa().named[row.name.removeprefix("c.").removesuffix("sp")]
    kept = {name: value for name, value in given.items() if name in full.pattern.operands}
    if "imm" in full.pattern.operands:
        kept["imm"] = 0
    bits = encode(full, **{**kept, "rs1": offset})
    return bits & ~COMPRESSED if row.pattern.length == 2 else bits
