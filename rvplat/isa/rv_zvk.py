"""Vector bit manipulation and cryptography (Unprivileged, "Zvbb", "Zvbc", "Vector Cryptography
Extensions"). Their rows are in `isa/vector`.

Native code is made of them only for boards whose harts have them.
"""

from rvplat.isa.machinery.extension import Extension


def _ratified(name: str, title: str, *requires: str, rows: str = "") -> Extension:
    modules = (f"rvplat.isa.vector.{rows}",) if rows else ()
    return Extension(name, "1.0", "ratified", title, requires, rows_in=modules)


Zvkb = _ratified(
    "Zvkb", "Vector bit manipulation for cryptography", "Zve32x", rows="bit_manipulation"
)
Zvbb = _ratified("Zvbb", "Vector basic bit manipulation", "Zvkb", rows="bit_manipulation")
Zvbc = _ratified("Zvbc", "Vector carry-less multiplication", "Zve64x", rows="bit_manipulation")
Zvkg = _ratified("Zvkg", "Vector GCM and GMAC", "Zve32x", rows="ghash")
Zvkned = _ratified("Zvkned", "Vector AES", "Zve32x", rows="aes")
Zvknha = _ratified("Zvknha", "Vector SHA-256", "Zve32x", rows="sha2")
Zvknhb = _ratified("Zvknhb", "Vector SHA-256 and SHA-512", "Zvknha", "Zve64x")
Zvksed = _ratified("Zvksed", "Vector SM4", "Zve32x", rows="shangmi")
Zvksh = _ratified("Zvksh", "Vector SM3", "Zve32x", rows="shangmi")
Zvkt = _ratified("Zvkt", "Times of vector instructions that do not depend on data", "Zve32x")

# Names for several extensions.
Zvkn = _ratified(
    "Zvkn", "NIST algorithms: Zvkned, Zvknhb, Zvkb, Zvkt", "Zvkned", "Zvknhb", "Zvkb", "Zvkt"
)
Zvknc = _ratified("Zvknc", "NIST algorithms, and Zvbc", "Zvkn", "Zvbc")
Zvkng = _ratified("Zvkng", "NIST algorithms, and GCM", "Zvkn", "Zvkg")
Zvks = _ratified(
    "Zvks", "ShangMi algorithms: Zvksed, Zvksh, Zvkb, Zvkt", "Zvksed", "Zvksh", "Zvkb", "Zvkt"
)
Zvksc = _ratified("Zvksc", "ShangMi algorithms, and Zvbc", "Zvks", "Zvbc")
Zvksg = _ratified("Zvksg", "ShangMi algorithms, and GCM", "Zvks", "Zvkg")
