"""The vector extensions of V 1.0 (Unprivileged, "V" and "Zve*"). Their rows are in `isa/vector`.

The instructions are rows of Zve32x and Zve32f. The extensions above these allow wider elements, and
what depends on the width is decided when an instruction runs.
"""

from rvplat.isa.machinery.extension import Extension

_INTEGER = tuple(
    f"rvplat.isa.vector.{module}"
    for module in (
        "configuration", "memory", "integer", "fixed_point", "reductions", "masks", "permutations",
    )
)  # fmt: skip


def _vector(
    name: str, title: str, *requires: str, rows_in: tuple[str, ...] = (),
    state_in: tuple[str, ...] = (), asks: tuple[str, ...] = (),
) -> Extension:  # fmt: skip
    return Extension(
        name, "1.0", "ratified", title, requires, rows_in=rows_in, state_in=state_in, asks=asks
    )


def _length(bits: int, *requires: str) -> Extension:
    return _vector(f"Zvl{bits}b", f"Vector registers of at least {bits} bits", *requires)


# "Zvl*: Minimum Vector Length Extensions": each includes the shorter ones.
Zvl32b = _length(32)
Zvl64b = _length(64, "Zvl32b")
Zvl128b = _length(128, "Zvl64b")
Zvl256b = _length(256, "Zvl128b")
Zvl512b = _length(512, "Zvl256b")
Zvl1024b = _length(1024, "Zvl512b")

Zve32x = _vector(
    "Zve32x", "Vectors of integers of up to 32 bits", "Zicsr", "Zvl32b",
    rows_in=_INTEGER, state_in=("rvplat.isa.vector.state",),
)  # fmt: skip
Zve32f = _vector(
    "Zve32f", "Vectors of singles", "Zve32x", "F",
    rows_in=tuple(
        f"rvplat.isa.vector.float_{module}"
        for module in ("arithmetic", "conversions", "estimates", "reductions")
    ),
    asks=("Zvfh", "Zvfhmin"),
)  # fmt: skip
Zve64x = _vector("Zve64x", "Vectors of integers of up to 64 bits", "Zve32x", "Zvl64b")
Zve64f = _vector(
    "Zve64f", "Vectors of integers of up to 64 bits, and of singles", "Zve64x", "Zve32f"
)
Zve64d = _vector("Zve64d", "Vectors of doubles", "Zve64f", "D")
# They have no rows: they let Zve32f's work on halves. `rows_in` makes them a part of the board's
# architecture, so that native code for halves is made only if a hart has them.
_HALVES = ("rvplat.isa.vector.float_forms",)
Zvfhmin = _vector("Zvfhmin", "Vector conversions of halves", "Zve32f", rows_in=_HALVES)
Zvfh = _vector("Zvfh", "Vectors of halves", "Zvfhmin", "Zfhmin", rows_in=_HALVES)
_BFLOATS = ("rvplat.isa.vector.bfloat16",)
Zvfbfmin = _vector("Zvfbfmin", "Vector conversions of bfloat16", "Zve32f", rows_in=_BFLOATS)
Zvfbfwma = _vector(
    "Zvfbfwma", "Vectors of bfloat16, multiplied and added to singles", "Zvfbfmin", "Zfbfmin",
    rows_in=_BFLOATS,
)  # fmt: skip
V = _vector("V", "Vectors, for application processors", "Zve64d", "Zvl128b")
