"""What the integer instructions of V, Zvbb and Zvbc do, in plain Python over lists, from the
manual's text (Unprivileged, "V"). It shares nothing with the definitions.

A `State` has the registers as bytes; `execute` changes it. All operands are legal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

RNU, RNE, RDN, ROD = range(4)


@dataclass
class State:
    """The state that integer instructions read and write."""

    vlen: int
    v: bytearray
    x: list[int]
    sew: int
    lmul: float
    vl: int
    vxrm: int = 0
    vxsat: int = 0

    @property
    def vlmax(self) -> int:
        return int(self.lmul * self.vlen) // self.sew

    def get(self, register: int, eew: int, i: int) -> int:
        """Element i of a group, unsigned."""
        at = register * self.vlen // 8 + i * eew // 8
        return int.from_bytes(self.v[at : at + eew // 8], "little")

    def put(self, register: int, eew: int, i: int, value: int) -> None:
        at = register * self.vlen // 8 + i * eew // 8
        self.v[at : at + eew // 8] = (value & (1 << eew) - 1).to_bytes(eew // 8, "little")

    def bit(self, register: int, i: int) -> int:
        return self.v[register * self.vlen // 8 + i // 8] >> i % 8 & 1

    def put_bit(self, register: int, i: int, value: int) -> None:
        at = register * self.vlen // 8 + i // 8
        self.v[at] = self.v[at] & ~(1 << i % 8) | value << i % 8


def s(value: int, bits: int) -> int:
    """The low bits as a signed number."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> bits - 1 else value


def u(value: int, bits: int) -> int:
    return value & (1 << bits) - 1


def roundoff(state: State, value: int, d: int) -> int:
    """ "Vector Fixed-Point Rounding Mode (vxrm) Register"."""
    if d == 0:
        return value
    below = value & (1 << d - 1) - 1
    r = {
        RNU: value >> d - 1 & 1,
        RNE: (value >> d - 1 & 1) & int(below != 0 or value >> d & 1),
        RDN: 0,
        ROD: int(not value >> d & 1) & int(value & (1 << d) - 1 != 0),
    }[state.vxrm]
    return (value >> d) + r


def clip(state: State, value: int, low: int, high: int) -> int:
    if low <= value <= high:
        return value
    state.vxsat = 1
    return max(low, min(value, high))


def signed_clip(state: State, value: int, bits: int) -> int:
    return clip(state, value, -(1 << bits - 1), (1 << bits - 1) - 1)


def unsigned_clip(state: State, value: int, bits: int) -> int:
    return clip(state, value, 0, (1 << bits) - 1)


def carry_less(a: int, b: int) -> int:
    """The product of polynomials over GF(2)."""
    result = 0
    for i in range(b.bit_length()):
        result ^= a << i if b >> i & 1 else 0
    return result


def mirrored(a: int, bits: int) -> int:
    """The bits reversed."""
    return int(f"{a:0{bits}b}"[::-1], 2)


def truncated(a: int, b: int) -> int:
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


Binary = Callable[[State, int, int, int], int]  # (state, vs2[i], vs1[i] or scalar, SEW), unsigned

SINGLE: dict[str, Binary] = {
    "vadd": lambda t, a, b, w: a + b,
    "vsub": lambda t, a, b, w: a - b,
    "vrsub": lambda t, a, b, w: b - a,
    "vand": lambda t, a, b, w: a & b,
    "vor": lambda t, a, b, w: a | b,
    "vxor": lambda t, a, b, w: a ^ b,
    "vsll": lambda t, a, b, w: a << b % w,
    "vsrl": lambda t, a, b, w: a >> b % w,
    "vsra": lambda t, a, b, w: s(a, w) >> b % w,
    "vminu": lambda t, a, b, w: min(a, b),
    "vmin": lambda t, a, b, w: min(s(a, w), s(b, w)),
    "vmaxu": lambda t, a, b, w: max(a, b),
    "vmax": lambda t, a, b, w: max(s(a, w), s(b, w)),
    "vmul": lambda t, a, b, w: a * b,
    "vmulh": lambda t, a, b, w: s(a, w) * s(b, w) >> w,
    "vmulhu": lambda t, a, b, w: a * b >> w,
    "vmulhsu": lambda t, a, b, w: s(a, w) * b >> w,
    "vdivu": lambda t, a, b, w: a // b if b else -1,
    "vdiv": lambda t, a, b, w: truncated(s(a, w), s(b, w)) if b else -1,
    "vremu": lambda t, a, b, w: a % b if b else a,
    "vrem": lambda t, a, b, w: s(a, w) - s(b, w) * truncated(s(a, w), s(b, w)) if b else a,
    "vsaddu": lambda t, a, b, w: unsigned_clip(t, a + b, w),
    "vsadd": lambda t, a, b, w: signed_clip(t, s(a, w) + s(b, w), w),
    "vssubu": lambda t, a, b, w: unsigned_clip(t, a - b, w),
    "vssub": lambda t, a, b, w: signed_clip(t, s(a, w) - s(b, w), w),
    "vaaddu": lambda t, a, b, w: roundoff(t, a + b, 1),
    "vaadd": lambda t, a, b, w: roundoff(t, s(a, w) + s(b, w), 1),
    "vasubu": lambda t, a, b, w: roundoff(t, a - b, 1),
    "vasub": lambda t, a, b, w: roundoff(t, s(a, w) - s(b, w), 1),
    "vsmul": lambda t, a, b, w: signed_clip(t, roundoff(t, s(a, w) * s(b, w), w - 1), w),
    "vssrl": lambda t, a, b, w: roundoff(t, a, b % w),
    "vssra": lambda t, a, b, w: roundoff(t, s(a, w), b % w),
    "vandn": lambda t, a, b, w: a & ~b,
    "vrol": lambda t, a, b, w: a << b % w | a >> w - b % w,
    "vror": lambda t, a, b, w: a >> b % w | a << w - b % w,
    "vclmul": lambda t, a, b, w: carry_less(a, b),
    "vclmulh": lambda t, a, b, w: carry_less(a, b) >> w,
}
ONE: dict[str, Callable[[int, int], int]] = {  # (vs2[i], SEW)
    "vbrev": mirrored,
    "vbrev8": lambda a, w: sum(mirrored(a >> i & 255, 8) << i for i in range(0, w, 8)),
    "vrev8": lambda a, w: int.from_bytes(a.to_bytes(w // 8, "little"), "big"),
    "vclz": lambda a, w: w - a.bit_length(),
    "vctz": lambda a, w: next((i for i in range(w) if a >> i & 1), w),
    "vcpop": lambda a, w: a.bit_count(),
}
WIDENING: dict[str, Binary] = {
    "vwaddu": lambda t, a, b, w: a + b,
    "vwadd": lambda t, a, b, w: s(a, w) + s(b, w),
    "vwsubu": lambda t, a, b, w: a - b,
    "vwsub": lambda t, a, b, w: s(a, w) - s(b, w),
    "vwmulu": lambda t, a, b, w: a * b,
    "vwmul": lambda t, a, b, w: s(a, w) * s(b, w),
    "vwmulsu": lambda t, a, b, w: s(a, w) * b,
    "vwsll": lambda t, a, b, w: a << b % (2 * w),
}
WIDE: dict[str, Binary] = {  # the first source has 2*SEW
    "vwaddu": lambda t, a, b, w: a + b,
    "vwadd": lambda t, a, b, w: a + s(b, w),
    "vwsubu": lambda t, a, b, w: a - b,
    "vwsub": lambda t, a, b, w: a - s(b, w),
}
NARROWING: dict[str, Binary] = {
    "vnsrl": lambda t, a, b, w: a >> b % (2 * w),
    "vnsra": lambda t, a, b, w: s(a, 2 * w) >> b % (2 * w),
    "vnclipu": lambda t, a, b, w: unsigned_clip(t, roundoff(t, a, b % (2 * w)), w),
    "vnclip": lambda t, a, b, w: signed_clip(t, roundoff(t, s(a, 2 * w), b % (2 * w)), w),
}
COMPARE: dict[str, Callable[[int, int, int], bool]] = {
    "vmseq": lambda a, b, w: a == b,
    "vmsne": lambda a, b, w: a != b,
    "vmsltu": lambda a, b, w: a < b,
    "vmslt": lambda a, b, w: s(a, w) < s(b, w),
    "vmsleu": lambda a, b, w: a <= b,
    "vmsle": lambda a, b, w: s(a, w) <= s(b, w),
    "vmsgtu": lambda a, b, w: a > b,
    "vmsgt": lambda a, b, w: s(a, w) > s(b, w),
}
ACCUMULATE: dict[str, Callable[[int, int, int, int], int]] = {  # (vs2, vs1, vd, SEW)
    "vmacc": lambda a, b, d, w: b * a + d,
    "vnmsac": lambda a, b, d, w: -(b * a) + d,
    "vmadd": lambda a, b, d, w: b * d + a,
    "vnmsub": lambda a, b, d, w: -(b * d) + a,
    "vwmaccu": lambda a, b, d, w: b * a + d,
    "vwmacc": lambda a, b, d, w: s(b, w) * s(a, w) + d,
    "vwmaccsu": lambda a, b, d, w: s(b, w) * a + d,
    "vwmaccus": lambda a, b, d, w: b * s(a, w) + d,
}
CARRY: dict[str, Callable[[int, int, int, int], int]] = {  # (vs2, vs1, carry, SEW)
    "vadc": lambda a, b, c, w: a + b + c,
    "vsbc": lambda a, b, c, w: a - b - c,
    "vmadc": lambda a, b, c, w: a + b + c >> w,
    "vmsbc": lambda a, b, c, w: int(a - b - c < 0),
}
REDUCE: dict[str, Callable[[int, int, int], int]] = {  # (result so far, element, SEW)
    "vredsum": lambda r, a, w: r + a,
    "vredand": lambda r, a, w: r & a,
    "vredor": lambda r, a, w: r | a,
    "vredxor": lambda r, a, w: r ^ a,
    "vredminu": lambda r, a, w: min(r, a),
    "vredmin": lambda r, a, w: min(s(r, w), s(a, w)),
    "vredmaxu": lambda r, a, w: max(r, a),
    "vredmax": lambda r, a, w: max(s(r, w), s(a, w)),
    "vwredsumu": lambda r, a, w: r + a,
    "vwredsum": lambda r, a, w: r + s(a, w),
}
LOGICAL: dict[str, Callable[[int, int], bool]] = {
    "vmand": lambda a, b: bool(a and b),
    "vmnand": lambda a, b: not (a and b),
    "vmandn": lambda a, b: bool(a and not b),
    "vmxor": lambda a, b: a != b,
    "vmor": lambda a, b: bool(a or b),
    "vmnor": lambda a, b: not (a or b),
    "vmorn": lambda a, b: bool(a or not b),
    "vmxnor": lambda a, b: a == b,
}


@dataclass
class Run:
    """One instruction on a state: its name and operands."""

    t: State
    name: str
    form: str
    o: dict[str, int]

    def active(self, i: int) -> bool:
        return bool(self.o.get("vm", 1) or self.t.bit(0, i))

    def scalar(self) -> int:
        """The scalar operand with XLEN bits."""
        if "rs1" in self.o:
            return self.t.x[self.o["rs1"]]
        return self.o["simm"] if "simm" in self.o else self.o["uimm"]

    def second(self, i: int) -> int:
        w = self.t.sew
        return self.t.get(self.o["vs1"], w, i) if "vs1" in self.o else u(self.scalar(), w)

    def write(self, eew: int, values: dict[int, int], always: bool = False) -> None:
        for i, value in values.items():
            if always or self.active(i):
                self.t.put(self.o["vd"], eew, i, value)

    def execute(self) -> int | None:
        """Do it; returns what goes to x[rd], if anything does."""
        for kind in (self.arithmetic, self.to_mask, self.masks, self.moves, self.permutations):
            if kind():
                return None
        return self.to_register()

    def arithmetic(self) -> bool:
        t, n, w, vs2 = self.t, self.name, self.t.sew, self.o.get("vs2", 0)
        body = [i for i in range(t.vl) if self.active(i)]

        def binary(f: Binary, a_eew: int, d_eew: int) -> None:
            found = {i: f(t, t.get(vs2, a_eew, i), self.second(i), w) for i in body}
            self.write(d_eew, found)

        if n in WIDE and self.form[0] == "w":
            binary(WIDE[n], 2 * w, 2 * w)
        elif n in WIDENING:
            binary(WIDENING[n], w, 2 * w)
        elif n in NARROWING:
            binary(NARROWING[n], 2 * w, w)
        elif n in SINGLE:
            binary(SINGLE[n], w, w)
        elif n in ONE and self.form == "v":
            self.write(w, {i: ONE[n](t.get(vs2, w, i), w) for i in body})
        elif n in ACCUMULATE:
            e = 2 * w if n.startswith("vw") else w
            g = ACCUMULATE[n]
            self.write(e, {i: g(t.get(vs2, w, i), self.second(i), t.get(self.o["vd"], e, i), w)
                           for i in body})  # fmt: skip
        elif n in REDUCE:
            e = 2 * w if n.startswith("vw") else w
            found = t.get(self.o["vs1"], e, 0)
            for i in body:
                found = REDUCE[n](found, t.get(vs2, w, i), w)
            if t.vl:
                t.put(self.o["vd"], e, 0, found)
        elif n in ("vadc", "vsbc"):
            g = CARRY[n]
            self.write(w, {i: g(t.get(vs2, w, i), self.second(i), t.bit(0, i), w)
                           for i in range(t.vl)}, always=True)  # fmt: skip
        elif n in ("vzext", "vsext"):
            e = w // int(self.form[2:])
            elements = {i: t.get(vs2, e, i) for i in body}
            self.write(w, {i: s(a, e) if n == "vsext" else a for i, a in elements.items()})
        else:
            return False
        return True

    def to_mask(self) -> bool:
        t, n, w, vd = self.t, self.name, self.t.sew, self.o.get("vd", 0)
        if n in COMPARE:
            bits = {i: COMPARE[n](t.get(self.o["vs2"], w, i), self.second(i), w)
                    for i in range(t.vl) if self.active(i)}  # fmt: skip
        elif n in ("vmadc", "vmsbc"):
            bits = {i: bool(CARRY[n](t.get(self.o["vs2"], w, i), self.second(i),
                                     0 if self.o["vm"] else t.bit(0, i), w))
                    for i in range(t.vl)}  # fmt: skip
        elif n in LOGICAL:
            bits = {i: LOGICAL[n](t.bit(self.o["vs2"], i), t.bit(self.o["vs1"], i))
                    for i in range(t.vl)}  # fmt: skip
        else:
            return False
        for i, bit in bits.items():
            t.put_bit(vd, i, int(bit))
        return True

    def masks(self) -> bool:
        t, n, w = self.t, self.name, self.t.sew
        body = [i for i in range(t.vl) if self.active(i)]
        if n in ("vmsbf", "vmsif", "vmsof"):
            first = next((i for i in body if t.bit(self.o["vs2"], i)), t.vl)
            for i in body:
                bit = {"vmsbf": i < first, "vmsif": i <= first, "vmsof": i == first}[n]
                t.put_bit(self.o["vd"], i, int(bit))
        elif n == "viota":
            counts = {i: sum(t.bit(self.o["vs2"], j) for j in body if j < i) for i in body}
            self.write(w, counts)
        elif n == "vid":
            self.write(w, {i: i for i in body})
        else:
            return False
        return True

    def moves(self) -> bool:
        t, n, w, everything = self.t, self.name, self.t.sew, range(self.t.vl)
        if n == "vmerge":
            self.write(w, {i: self.second(i) if t.bit(0, i) else t.get(self.o["vs2"], w, i)
                           for i in everything}, always=True)  # fmt: skip
        elif n == "vmv" and self.form[0] == "v":
            self.write(w, {i: self.second(i) for i in everything})
        elif n == "vmv" and self.form == "s.x":
            if t.vl:
                t.put(self.o["vd"], w, 0, self.scalar())
        elif n[:3] == "vmv" and n[-1] == "r":
            size = int(n[3]) * t.vlen // 8
            at, source = self.o["vd"] * t.vlen // 8, self.o["vs2"] * t.vlen // 8
            t.v[at : at + size] = bytes(t.v[source : source + size])
        else:
            return False
        return True

    def permutations(self) -> bool:
        t, n, w = self.t, self.name, self.t.sew
        everything = range(t.vl)

        def source(i: int) -> int:
            return t.get(self.o["vs2"], w, i) if i < t.vlmax else 0

        if n == "vslideup":
            offset = u(self.scalar(), 64)
            self.write(w, {i: source(i - offset) for i in everything if i >= offset})
        elif n == "vslidedown":
            self.write(w, {i: source(i + u(self.scalar(), 64)) for i in everything})
        elif n == "vslide1up":
            self.write(w, {i: source(i - 1) if i else self.scalar() for i in everything})
        elif n == "vslide1down":
            last = t.vl - 1
            self.write(w, {i: source(i + 1) if i < last else self.scalar() for i in everything})
        elif n == "vrgather" and self.form == "vv":
            self.write(w, {i: source(t.get(self.o["vs1"], w, i)) for i in everything})
        elif n == "vrgatherei16":
            self.write(w, {i: source(t.get(self.o["vs1"], 16, i)) for i in everything})
        elif n == "vrgather":
            self.write(w, dict.fromkeys(everything, source(u(self.scalar(), 64))))
        elif n == "vcompress":
            kept = [source(i) for i in everything if t.bit(self.o["vs1"], i)]
            self.write(w, dict(enumerate(kept)), always=True)
        else:
            return False
        return True

    def to_register(self) -> int:
        t, vs2 = self.t, self.o["vs2"]
        set_bits = [i for i in range(t.vl) if self.active(i) and t.bit(vs2, i)]
        if self.name == "vcpop":
            return len(set_bits)
        if self.name == "vfirst":
            return set_bits[0] if set_bits else -1
        assert (self.name, self.form) == ("vmv", "x.s")
        return s(t.get(vs2, t.sew, 0), t.sew)
