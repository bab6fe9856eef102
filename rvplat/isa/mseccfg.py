"""mseccfg, which several extensions add (Privileged, "Machine Security Configuration (mseccfg)
Register"). A hart has it with Smmpm, Zkr or Zicfilp, and each of them has its fields.
"""

from rvplat.isa.landing_pads import pads_changed
from rvplat.isa.priv_m import legal_pmm, masks_changed
from rvplat.isa.privileged import EnvCfg, SecCfg
from rvplat.isa.zpm import Smmpm
from rvplat.lang import define, u32, u64


@define
def mseccfg_write(hart, value: u64, number: u32):
    """Fields of extensions that the hart lacks are read-only zero."""
    mask = u64(EnvCfg.PMM) if hart.has_smmpm != 0 else u64(0)
    if hart.has_zkr != 0:
        mask |= u64(SecCfg.USEED) if hart.has_u != 0 else u64(0)
        mask |= u64(SecCfg.SSEED) if hart.has_s != 0 else u64(0)
    mask |= u64(SecCfg.MLPE) if hart.has_zicfilp != 0 else u64(0)
    changed = hart.mseccfg ^ (legal_pmm(value) & mask)
    hart.mseccfg ^= changed
    if changed & EnvCfg.PMM != 0:
        masks_changed(hart)
    if changed & SecCfg.MLPE != 0:
        pads_changed(hart)


mseccfg = Smmpm.csr(
    0x747, "mseccfg", write=mseccfg_write, high=0x757,
    fields="PMM[33:32] MLPE[10] SSEED[9] USEED[8]",
)  # fmt: skip
