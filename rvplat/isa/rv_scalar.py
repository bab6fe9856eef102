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
Zicfilp = Extension(
    "Zicfilp", "1.0", "ratified", "Landing pads", ("Zicsr",), rows_in=(f"{ROWS}.zicfilp",),
    state_in=(f"{ROWS}.zicfilp",),
)  # fmt: skip
Zicfiss = Extension(
    "Zicfiss", "1.0", "ratified", "Shadow stacks", ("Zicsr", "Zimop", "Zaamo"),
    rows_in=(f"{ROWS}.zicfiss",), state_in=(f"{ROWS}.zicfiss",),
)  # fmt: skip
Ssdbltrp = Extension(
    "Ssdbltrp", "1.0", "ratified", "Double traps of S and VS mode", ("S",),
    rows_in=(f"{ROWS}.double_traps",),
)  # fmt: skip
Smdbltrp = Extension(
    "Smdbltrp", "1.0", "ratified", "Double traps of M mode", ("Sm",),
    rows_in=(f"{ROWS}.double_traps",),
)  # fmt: skip
Smrnmi = Extension(
    "Smrnmi", "1.0", "ratified", "Resumable non-maskable interrupts", ("Sm",),
    rows_in=(f"{ROWS}.smrnmi",), state_in=(f"{ROWS}.smrnmi",),
)  # fmt: skip
Zacas = Extension(
    "Zacas", "1.0", "ratified", "Atomic compare-and-swap", ("Zaamo",), rows_in=(f"{ROWS}.zacas",)
)  # fmt: skip
Zabha = Extension(
    "Zabha", "1.0", "ratified", "Atomic operations on bytes and halfwords", ("Zaamo",),
    rows_in=(f"{ROWS}.zabha",),
)  # fmt: skip
Zilsd = Extension(
    "Zilsd", "1.0", "ratified", "Loads and stores of register pairs", ("I",),
    rows_in=(f"{ROWS}.zilsd",), widths=(32,),
)  # fmt: skip
Zclsd = Extension(
    "Zclsd", "1.0", "ratified", "Compressed loads and stores of register pairs", ("Zca", "Zilsd"),
    rows_in=(f"{ROWS}.zilsd",), widths=(32,),
)  # fmt: skip
Zfhmin = Extension(
    "Zfhmin", "1.0", "ratified", "Half-precision floating-point conversions", ("F",),
    rows_in=(f"{ROWS}.zfhmin",),
)  # fmt: skip
Zfh = Extension(
    "Zfh", "1.0", "ratified", "Half-precision floating-point", ("Zfhmin",),
    rows_in=(f"{ROWS}.zfh",),
)  # fmt: skip
Zfbfmin = Extension(
    "Zfbfmin", "1.0", "ratified", "Conversions of bfloat16", ("F",), rows_in=(f"{ROWS}.zfbfmin",)
)  # fmt: skip

# "Scalar Cryptography Extensions"
Zbkb = Extension(
    "Zbkb", "1.0", "ratified", "Bit manipulation for cryptography", ("I",),
    rows_in=(f"{ROWS}.zbk",),
)  # fmt: skip
Zbkc = Extension(
    "Zbkc", "1.0", "ratified", "Carry-less multiplication for cryptography", ("I",),
    rows_in=(f"{ROWS}.zbk",),
)  # fmt: skip
Zbkx = Extension(
    "Zbkx", "1.0", "ratified", "Crossbar permutations", ("I",), rows_in=(f"{ROWS}.zbk",)
)  # fmt: skip
Zknd = Extension(
    "Zknd", "1.0", "ratified", "AES decryption", ("I",), rows_in=(f"{ROWS}.aes",)
)  # fmt: skip
Zkne = Extension(
    "Zkne", "1.0", "ratified", "AES encryption", ("I",), rows_in=(f"{ROWS}.aes",)
)  # fmt: skip
Zknh = Extension(
    "Zknh", "1.0", "ratified", "SHA-2 hash functions", ("I",), rows_in=(f"{ROWS}.sha2",)
)  # fmt: skip
Zksed = Extension(
    "Zksed", "1.0", "ratified", "SM4 block cipher", ("I",), rows_in=(f"{ROWS}.shangmi",)
)  # fmt: skip
Zksh = Extension(
    "Zksh", "1.0", "ratified", "SM3 hash function", ("I",), rows_in=(f"{ROWS}.shangmi",)
)  # fmt: skip
Zkt = Extension("Zkt", "1.0", "ratified", "Times that do not depend on data")
Zkn = Extension(
    "Zkn", "1.0", "ratified", "NIST algorithms: Zbkb, Zbkc, Zbkx, Zknd, Zkne, Zknh",
    ("Zbkb", "Zbkc", "Zbkx", "Zknd", "Zkne", "Zknh"),
)  # fmt: skip
Zks = Extension(
    "Zks", "1.0", "ratified", "ShangMi algorithms: Zbkb, Zbkc, Zbkx, Zksed, Zksh",
    ("Zbkb", "Zbkc", "Zbkx", "Zksed", "Zksh"),
)  # fmt: skip
