"""Extensions that name properties of main memory (Unprivileged, "Zi" and "Za" chapters).

They have no instructions or CSRs. Main memory has the properties of all but Zicclsm and Zama16b
whether or not an ISA string names them. Without these two, misaligned accesses trap.
"""

from rvplat.isa.machinery.extension import Extension


def _promise(name: str, title: str, *requires: str) -> Extension:
    return Extension(name, "1.0", "ratified", title, requires)


Zicclsm = _promise("Zicclsm", "Misaligned loads and stores to main memory work")
Ziccif = _promise("Ziccif", "Aligned fetches from main memory are atomic")
Ziccrse = _promise("Ziccrse", "Main memory can be reserved, and store-conditional succeeds at last")
Ziccamoa = _promise("Ziccamoa", "Main memory supports all atomic operations", "Zaamo")
Ziccamoc = _promise("Ziccamoc", "Main memory supports amocas.q", "Zacas")
Za128rs = _promise("Za128rs", "Reservation sets are at most 128 bytes", "Zalrsc")
Za64rs = _promise("Za64rs", "Reservation sets are at most 64 bytes", "Za128rs")
Zama16b = _promise("Zama16b", "Misaligned accesses within 16 aligned bytes are atomic", "Zaamo")
