"""What vector floating-point instructions do, in plain Python over lists, from the manual's text
(Unprivileged, "Vector Floating-Point Instructions"), with exact fractions (ieee.py). Halves,
singles and doubles are alike. vfrec7 and vfrsqrt7, which are tables, are left to lock step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.isa.fp_oracle import compared, computed, operand
from tests.lang.floating_point import ieee

from .oracle import State, s

RDN = 2
Result = tuple[int, int]  # the bits, and the flags
Operation = Callable[[int, int, int, int, int], Result]  # (vs2[i], vs1[i], vd[i], SEW, mode)


def fused(name: str, a: int, b: int, c: int, w: int, mode: int) -> Result:
    return computed(name, (a, b, c), w, mode)


SINGLE: dict[str, Operation] = {
    "vfadd": lambda a, b, d, w, m: ieee.add(a, b, w, m),
    "vfsub": lambda a, b, d, w, m: ieee.sub(a, b, w, m),
    "vfrsub": lambda a, b, d, w, m: ieee.sub(b, a, w, m),
    "vfmul": lambda a, b, d, w, m: ieee.mul(a, b, w, m),
    "vfdiv": lambda a, b, d, w, m: ieee.div(a, b, w, m),
    "vfrdiv": lambda a, b, d, w, m: ieee.div(b, a, w, m),
    "vfmin": lambda a, b, d, w, m: computed("fmin", (a, b), w, m),
    "vfmax": lambda a, b, d, w, m: computed("fmax", (a, b), w, m),
    "vfsgnj": lambda a, b, d, w, m: computed("fsgnj", (a, b), w, m),
    "vfsgnjn": lambda a, b, d, w, m: computed("fsgnjn", (a, b), w, m),
    "vfsgnjx": lambda a, b, d, w, m: computed("fsgnjx", (a, b), w, m),
    "vfmacc": lambda a, b, d, w, m: fused("fmadd", b, a, d, w, m),
    "vfnmacc": lambda a, b, d, w, m: fused("fnmadd", b, a, d, w, m),
    "vfmsac": lambda a, b, d, w, m: fused("fmsub", b, a, d, w, m),
    "vfnmsac": lambda a, b, d, w, m: fused("fnmsub", b, a, d, w, m),
    "vfmadd": lambda a, b, d, w, m: fused("fmadd", b, d, a, w, m),
    "vfnmadd": lambda a, b, d, w, m: fused("fnmadd", b, d, a, w, m),
    "vfmsub": lambda a, b, d, w, m: fused("fmsub", b, d, a, w, m),
    "vfnmsub": lambda a, b, d, w, m: fused("fnmsub", b, d, a, w, m),
}
COMPARE: dict[str, Callable[[int, int, int], Result]] = {
    "vmfeq": lambda a, b, w: compared("feq", (a, b), w),
    "vmflt": lambda a, b, w: compared("flt", (a, b), w),
    "vmfle": lambda a, b, w: compared("fle", (a, b), w),
    "vmfgt": lambda a, b, w: compared("flt", (b, a), w),
    "vmfge": lambda a, b, w: compared("fle", (b, a), w),
}
REDUCE: dict[str, Operation] = {
    "vfredosum": SINGLE["vfadd"], "vfredusum": SINGLE["vfadd"], "vfredmin": SINGLE["vfmin"],
    "vfredmax": SINGLE["vfmax"], "vfwredosum": SINGLE["vfadd"], "vfwredusum": SINGLE["vfadd"],
}  # fmt: skip
UNARY: dict[str, Callable[[int, int, int], Result]] = {
    "vfsqrt": ieee.sqrt,
    "vfclass": lambda a, w, m: compared("fclass", (a, a), w),
}


def converted(form: str, a: int, source: int, to: int, mode: int) -> Result:
    """A conversion such as x.f, from an element of `source` bits to one of `to` bits."""
    if form.startswith("rtz."):
        form, mode = form[4:], ieee.RTZ
    if form.startswith("rod."):
        bits, flags = ieee.convert(a, source, to, ieee.RTZ)
        return bits | int(flags & ieee.NX != 0), flags
    target, origin = form.split(".")[:2]
    if target == origin:
        return ieee.convert(a, source, to, mode)
    if target == "f":
        return ieee.from_integer(s(a, source) if origin == "x" else a, to, mode)
    return ieee.to_integer(a, source, to, target == "x", mode)


@dataclass
class FloatRun:
    """One instruction on a state with f registers: its name, form and operands. `flags` are those
    that it raises."""

    t: State
    f: list[int]
    mode: int
    name: str
    form: str
    o: dict[str, int]
    flags: int = field(default=0)

    def body(self) -> list[int]:
        masked = self.o.get("vm", 1) == 0
        return [i for i in range(self.t.vl) if not masked or self.t.bit(0, i)]

    def scalar(self) -> int:
        return operand(self.f[self.o["rs1"]], self.t.sew)

    def second(self, i: int) -> int:
        return self.t.get(self.o["vs1"], self.t.sew, i) if "vs1" in self.o else self.scalar()

    def take(self, result: Result) -> int:
        self.flags |= result[1]
        return result[0]

    def wide(self, a: int) -> int:
        return self.take(ieee.convert(a, self.t.sew, 2 * self.t.sew, self.mode))

    def write(self, eew: int, values: dict[int, int]) -> None:
        for i, value in values.items():
            self.t.put(self.o["vd"], eew, i, value)

    def execute(self) -> int | None:
        """Do it. Returns the number that goes to f[rd], if one does."""
        kinds = (
            self.bfloats,
            self.arithmetic,
            self.to_mask,
            self.conversion,
            self.reduction,
            self.moves,
        )
        if any(kind() for kind in kinds):
            return None
        assert self.form == "f.s"
        return self.t.get(self.o["vs2"], self.t.sew, 0)

    def arithmetic(self) -> bool:
        t, n, w, vs2, vd = self.t, self.name, self.t.sew, self.o.get("vs2", 0), self.o.get("vd", 0)
        wide = n.startswith("vfw")
        plain = "vf" + n[3:] if wide else n
        if plain in UNARY and not wide:
            self.write(w, {i: self.take(UNARY[n](t.get(vs2, w, i), w, self.mode))
                           for i in self.body()})  # fmt: skip
            return True
        if plain not in SINGLE:
            return False
        e, found = (2 * w if wide else w), {}
        for i in self.body():
            a, b = t.get(vs2, e if self.form[0] == "w" else w, i), self.second(i)
            if wide:
                a, b = (a if self.form[0] == "w" else self.wide(a)), self.wide(b)
            found[i] = self.take(SINGLE[plain](a, b, t.get(vd, e, i), e, self.mode))
        self.write(e, found)
        return True

    def bfloats(self) -> bool:
        """Zvfbfmin and Zvfbfwma."""
        t, vs2, bf, found = self.t, self.o.get("vs2", 0), ieee.BFLOAT16, {}
        if not self.name.endswith("bf16"):
            return False
        for i in self.body():
            if self.name == "vfncvtbf16":
                found[i] = self.take(ieee.convert(t.get(vs2, 32, i), 32, bf, self.mode))
                continue
            a = self.take(ieee.convert(t.get(vs2, 16, i), bf, 32, self.mode))
            if self.name == "vfwmaccbf16":
                one = t.get(self.o["vs1"], 16, i) if self.form == "vv" else self.bfloat()
                b = self.take(ieee.convert(one, bf, 32, self.mode))
                d = t.get(self.o["vd"], 32, i)
                a = self.take(fused("fmadd", b, a, d, 32, self.mode))
            found[i] = a
        self.write(16 if self.name == "vfncvtbf16" else 32, found)
        return True

    def bfloat(self) -> int:
        return operand(self.f[self.o["rs1"]], ieee.BFLOAT16)

    def to_mask(self) -> bool:
        name = "vmfeq" if self.name == "vmfne" else self.name
        if name not in COMPARE:
            return False
        w, bits = self.t.sew, {}
        for i in self.body():
            a = self.t.get(self.o["vs2"], w, i)
            bits[i] = self.take(COMPARE[name](a, self.second(i), w)) ^ int(self.name == "vmfne")
        for i, bit in bits.items():
            self.t.put_bit(self.o["vd"], i, bit)
        return True

    def conversion(self) -> bool:
        sizes = {"vfcvt": (1, 1), "vfwcvt": (1, 2), "vfncvt": (2, 1)}
        if self.name not in sizes:
            return False
        source, to = (self.t.sew * factor for factor in sizes[self.name])
        self.write(to, {
            i: self.take(converted(self.form, self.t.get(self.o["vs2"], source, i), source, to,
                                   self.mode))
            for i in self.body()
        })  # fmt: skip
        return True

    def reduction(self) -> bool:
        if self.name not in REDUCE:
            return False
        t, w, wide = self.t, self.t.sew, self.name.startswith("vfw")
        e = 2 * w if wide else w
        total = t.get(self.o["vs1"], e, 0)
        numbers = [t.get(self.o["vs2"], w, i) for i in self.body()]
        numbers = [self.wide(a) for a in numbers] if wide else numbers
        if not numbers and "usum" in self.name:
            numbers = [0 if self.mode == RDN else 1 << e - 1]
        for a in numbers:
            total = self.take(REDUCE[self.name](total, a, 0, e, self.mode))
        if t.vl:
            t.put(self.o["vd"], e, 0, total)
        else:
            self.flags = 0
        return True

    def moves(self) -> bool:
        t, n, w, everything = self.t, self.name, self.t.sew, range(self.t.vl)
        vs2 = self.o.get("vs2", 0)
        if n == "vfmerge":
            self.write(w, {i: self.scalar() if t.bit(0, i) else t.get(vs2, w, i)
                           for i in everything})  # fmt: skip
        elif n == "vfmv" and self.form == "v.f":
            self.write(w, dict.fromkeys(everything, self.scalar()))
        elif n == "vfmv" and self.form == "s.f":
            self.write(w, {0: self.scalar()} if t.vl else {})
        elif n == "vfslide1up":
            self.write(w, {i: t.get(vs2, w, i - 1) if i else self.scalar() for i in self.body()})
        elif n == "vfslide1down":
            last = t.vl - 1
            self.write(w, {i: t.get(vs2, w, i + 1) if i < last else self.scalar()
                           for i in self.body()})  # fmt: skip
        else:
            return False
        return True
