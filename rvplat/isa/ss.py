"""Extensions that name what S mode does (Privileged, "Supervisor Extensions").

They have no instructions or CSRs. Every hart with S mode behaves as they say, whether or not an ISA
string names them; profiles name them. The versions of the privileged architecture have names of
this kind too: software for an earlier one runs on a later one.
"""

from rvplat.isa.machinery.extension import Extension


def _promise(name: str, title: str, *requires: str) -> Extension:
    return Extension(name, "1.0", "ratified", title, requires)


def _version(name: str, mode: str, version: str, *requires: str) -> Extension:
    title = f"{mode} architecture {version}"
    return Extension(name, version, "ratified", title, requires)


Ss1p11 = _version("Ss1p11", "Supervisor", "1.11", "S")
Ss1p12 = _version("Ss1p12", "Supervisor", "1.12", "Ss1p11")
Ss1p13 = _version("Ss1p13", "Supervisor", "1.13", "Ss1p12")
Sm1p11 = _version("Sm1p11", "Machine", "1.11", "Sm")
Sm1p12 = _version("Sm1p12", "Machine", "1.12", "Sm1p11")
Sm1p13 = _version("Sm1p13", "Machine", "1.13", "Sm1p12")

Ssccptr = _promise("Ssccptr", "Page tables can be in main memory", "Svbare")
Sstvecd = _promise("Sstvecd", "stvec holds every direct address", "S")
Sstvala = _promise("Sstvala", "stval holds the faulting address or instruction", "S")
Sscounterenw = _promise("Sscounterenw", "scounteren is writable for every counter", "S")
Ssu64xl = Extension(
    "Ssu64xl", "1.0", "ratified", "sstatus.UXL can be 64 bits", ("S",), widths=(64,)
)
Ssstrict = _promise("Ssstrict", "Unimplemented opcodes and CSRs are illegal instructions", "S")
