"""Scalar extensions that few boards enable. Their rows are in `isa/scalar`.

Native code is made of them only for boards whose harts have them.
"""

from rvplat.isa.machinery.extension import Extension

ROWS = "rvplat.isa.scalar"

Zcb = Extension(
    "Zcb", "1.0", "ratified", "Additional compressed instructions", ("Zca",),
    rows_in=(f"{ROWS}.zcb",),
)  # fmt: skip
Zimop = Extension(
    "Zimop", "1.0", "ratified", "May-be-operations", ("I",), rows_in=(f"{ROWS}.zimop",)
)  # fmt: skip
Zcmop = Extension(
    "Zcmop", "1.0", "ratified", "Compressed may-be-operations", ("Zca",),
    rows_in=(f"{ROWS}.zimop",),
)  # fmt: skip
