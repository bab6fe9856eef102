"""Pointer masking (Privileged, "Pointer Masking Extensions"): Ssnpm, Smnpm, Smmpm, and Supm and
Sspm, which say that a mode's software can have it switched on.

The fields are in menvcfg (priv_m.py), senvcfg (priv_s.py), henvcfg and hstatus (rv_h.py) and
mseccfg (mseccfg.py). `hart/pointer_masking.py` applies them. RV32 has none of them.
"""

from rvplat.isa.machinery.extension import Extension


def _masking(name: str, title: str, *requires: str) -> Extension:
    return Extension(name, "1.0", "ratified", title, requires, widths=(64,))


Ssnpm = _masking("Ssnpm", "Pointer masking for U mode, VS and VU mode", "S")
Smnpm = _masking("Smnpm", "Pointer masking for the next lower mode than M", "U")
Smmpm = _masking("Smmpm", "Pointer masking for M mode", "Sm")
Supm = _masking("Supm", "Pointer masking in U mode, switched on by its environment", "Ssnpm")
Sspm = _masking("Sspm", "Pointer masking in S mode, switched on by its environment", "S", "Smnpm")
