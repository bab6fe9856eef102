"""Zkr, the entropy source (Unprivileged, "Entropy Source"), and Zk.

The host gives the numbers (`machine/running/seed_source.py`). A number belongs to an index, which
the write of an access counts up: so a debugger that reads `seed` takes none from the guest.
"""

from rvplat.isa.fp_state import call_out
from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.vocabulary import illegal, virtual_instruction
from rvplat.isa.mseccfg import mseccfg
from rvplat.isa.privileged import MACHINE, USER, SecCfg
from rvplat.lang import define, u32, u64

Zkr = Extension("Zkr", "1.0", "ratified", "Entropy source", ("Sm",))
Zk = Extension("Zk", "1.0", "ratified", "Scalar cryptography: Zkn, Zkr, Zkt", ("Zkn", "Zkr", "Zkt"))

ES16 = 2 << 30  # OPST: bits 15 to 0 hold 16 bits of randomness
DEAD = 3 << 30  # there is no source
ENTROPY = 0xFFFF

Zkr.share_csr(mseccfg)


@define
def seed_access(hart, write: bool, number: u32):
    """Only accesses that write are legal; below M mode mseccfg's SSEED or USEED must be set. In VS
    and VU mode the access is a virtual instruction then ("Access Control to seed")."""
    if not write:
        illegal(hart)
    if hart.virt != 0:
        if hart.mseccfg & SecCfg.SSEED != 0:
            virtual_instruction(hart)
        illegal(hart)
    needed = u64(SecCfg.USEED) if hart.priv == USER else u64(SecCfg.SSEED)
    if hart.priv != MACHINE and hart.mseccfg & needed == 0:
        illegal(hart)


@define
def seed_read(hart, number: u32) -> u64:
    """A number is always ready, so OPST is ES16; DEAD if the hart has no source."""
    if hart.seed_fn == 0:
        return u64(DEAD)
    return ES16 | (call_out(hart, hart.seed_fn, hart.seed_index, u64(0), u64(0)) & ENTROPY)


@define
def seed_write(hart, value: u64, number: u32):
    """The value is ignored. The number is used up, whether or not it was read."""
    hart.seed_index += 1


Zkr.csr(
    0x015, "seed", read=seed_read, write=seed_write, access=seed_access, storage=False,
    fields="OPST[31:30] entropy[15:0]",
)  # fmt: skip
