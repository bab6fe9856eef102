"""LLVM text for the control of the host's floating-point unit, which differs between hosts.

Each value is (text, declarations), the arguments of `intrinsic`. lang/floating_point describes the
intrinsics (host_unit.py) and numbers rounding modes and flags (formats.py).
"""

from __future__ import annotations

from rvplat.lang.host.processor import MACHINE, IrText, has_fma, has_round

_FLOAT = {32: "float", 64: "double"}


def float_operand(index: int, bits: int) -> str:
    """Convert an operand, a bit pattern in 64 bits, to the float `%f{index}`."""
    cut = f"%n{index}{{t}} = trunc i64 {{{index}}} to i{bits}\n" if bits < 64 else ""
    pattern = f"%n{index}{{t}}" if cut else f"{{{index}}}"
    return cut + f"%f{index}{{t}} = bitcast i{bits} {pattern} to {_FLOAT[bits]}\n"


def _constant(answer: bool) -> IrText:
    return f"{{result}} = xor i1 {int(answer)}, 0", ()


def _x86_to_s64(bits: int) -> IrText:
    """cvtss2si and cvtsd2si: they round by MXCSR and raise the flags of IEEE 754."""
    kind = _FLOAT[bits]
    lanes = 128 // bits
    name = "@llvm.x86.sse.cvtss2si64" if bits == 32 else "@llvm.x86.sse2.cvtsd2si64"
    vector = f"<{lanes} x {kind}>"
    text = float_operand(0, bits) + (
        f"%v{{t}} = insertelement {vector} poison, {kind} %f0{{t}}, i32 0\n"
        f"{{result}} = call i64 {name}({vector} %v{{t}}) strictfp"
    )
    return text, (f"declare i64 {name}({vector})",)


def _other_to_s64(bits: int) -> IrText:
    """Round to an integral float, which raises inexact, and convert that exactly."""
    kind = _FLOAT[bits]
    rint = f"@llvm.experimental.constrained.rint.f{bits}"
    convert = f"@llvm.experimental.constrained.fptosi.i64.f{bits}"
    modes = 'metadata !"round.dynamic", metadata !"fpexcept.strict"'
    text = float_operand(0, bits) + (
        f"%g{{t}} = call {kind} {rint}({kind} %f0{{t}}, {modes}) strictfp\n"
        f"{{result}} = call i64 {convert}({kind} %g{{t}}, "
        'metadata !"fpexcept.strict") strictfp'
    )
    return text, (
        f"declare {kind} {rint}({kind}, metadata, metadata)",
        f"declare i64 {convert}({kind}, metadata)",
    )


# --- x86-64: MXCSR (Intel SDM, volume 1, 10.2.3) ------------------------------------------------
# Flags IE 0, DE 1, ZE 2, OE 3, UE 4, PE 5; DAZ 6; masks 7 to 12; rounding 13 and 14; FTZ 15.
# Rounding: 0 nearest even, 1 down, 2 up, 3 towards zero.

_STMXCSR = "declare void @llvm.x86.sse.stmxcsr(ptr)"
_LDMXCSR = "declare void @llvm.x86.sse.ldmxcsr(ptr)"
_REVERSE_32 = "declare i32 @llvm.bitreverse.i32(i32)"
_READ_MXCSR = (
    "%p{t} = alloca i32\n"
    "call void @llvm.x86.sse.stmxcsr(ptr %p{t})\n"
    "%c{t} = load i32, ptr %p{t}\n"
)  # fmt: skip
_WRITE_MXCSR = (
    "%p{t} = alloca i32\nstore i32 %c{t}, ptr %p{t}\ncall void @llvm.x86.sse.ldmxcsr(ptr %p{t})"
)
_X86_ROUNDING = 0 | 3 << 2 | 1 << 4 | 2 << 6  # two bits for each of RNE, RTZ, RDN, RUP
_MXCSR_MASKS = 0x1F80

_X86: dict[str, IrText] = {
    "control": (_READ_MXCSR + "{result} = zext i32 %c{t} to i64", (_STMXCSR,)),
    "restore": ("%c{t} = trunc i64 {0} to i32\n" + _WRITE_MXCSR, (_LDMXCSR,)),
    "start": (
        "%a{t} = shl i64 {0}, 1\n"
        f"%b{{t}} = lshr i64 {_X86_ROUNDING}, %a{{t}}\n"
        "%d{t} = and i64 %b{t}, 3\n"
        "%e{t} = shl i64 %d{t}, 13\n"
        f"%g{{t}} = or i64 %e{{t}}, {_MXCSR_MASKS}\n"
        "%c{t} = trunc i64 %g{t} to i32\n" + _WRITE_MXCSR,
        (_LDMXCSR,),
    ),
    # Reversed, the six flags are PE, UE, OE, ZE, DE, IE from bit 26 up. DE is dropped, IE moved.
    "flags": (
        _READ_MXCSR + "%r{t} = call i32 @llvm.bitreverse.i32(i32 %c{t})\n"
        "%s{t} = lshr i32 %r{t}, 26\n"
        "%l{t} = and i32 %s{t}, 15\n"
        "%h{t} = lshr i32 %s{t}, 1\n"
        "%i{t} = and i32 %h{t}, 16\n"
        "%o{t} = or i32 %l{t}, %i{t}\n"
        "{result} = zext i32 %o{t} to i64",
        (_STMXCSR, _REVERSE_32),
    ),
}

# --- AArch64: FPCR and FPSR (Arm ARM, C5.2) -----------------------------------------------------
# FPSR flags IOC 0, DZC 1, OFC 2, UFC 3, IXC 4. FPCR rounding, bits 22 and 23: 0 nearest even, 1 up,
# 2 down, 3 towards zero; its other bits, all 0: no traps, no flushing, NaNs propagate.

_GET_FPCR = "declare i64 @llvm.aarch64.get.fpcr()"
_SET_FPCR = "declare void @llvm.aarch64.set.fpcr(i64)"
_GET_FPSR = "declare i64 @llvm.aarch64.get.fpsr()"
_SET_FPSR = "declare void @llvm.aarch64.set.fpsr(i64)"
_REVERSE_64 = "declare i64 @llvm.bitreverse.i64(i64)"
_ARM_ROUNDING = 0 | 3 << 2 | 2 << 4 | 1 << 6

_AARCH64: dict[str, IrText] = {
    "control": (
        "%c{t} = call i64 @llvm.aarch64.get.fpcr()\n"
        "%s{t} = call i64 @llvm.aarch64.get.fpsr()\n"
        "%h{t} = shl i64 %c{t}, 32\n"
        "%l{t} = and i64 %s{t}, 4294967295\n"
        "{result} = or i64 %h{t}, %l{t}",
        (_GET_FPCR, _GET_FPSR),
    ),
    "restore": (
        "%h{t} = lshr i64 {0}, 32\n"
        "%l{t} = and i64 {0}, 4294967295\n"
        "call void @llvm.aarch64.set.fpcr(i64 %h{t})\n"
        "call void @llvm.aarch64.set.fpsr(i64 %l{t})",
        (_SET_FPCR, _SET_FPSR),
    ),
    "start": (
        "%a{t} = shl i64 {0}, 1\n"
        f"%b{{t}} = lshr i64 {_ARM_ROUNDING}, %a{{t}}\n"
        "%d{t} = and i64 %b{t}, 3\n"
        "%e{t} = shl i64 %d{t}, 22\n"
        "call void @llvm.aarch64.set.fpcr(i64 %e{t})\n"
        "call void @llvm.aarch64.set.fpsr(i64 0)",
        (_SET_FPCR, _SET_FPSR),
    ),
    "flags": (
        "%s{t} = call i64 @llvm.aarch64.get.fpsr()\n"
        "%r{t} = call i64 @llvm.bitreverse.i64(i64 %s{t})\n"
        "{result} = lshr i64 %r{t}, 59",
        (_GET_FPSR, _REVERSE_64),
    ),
}

_CONTROL = _AARCH64 if MACHINE == "aarch64" else _X86

FP_CONTROL = _CONTROL["control"]
FP_RESTORE = _CONTROL["restore"]
FP_START = _CONTROL["start"]
FP_FLAGS = _CONTROL["flags"]
# x86-64 detects tininess after rounding (Intel SDM, volume 1, 4.9.1.5), AArch64 before.
FP_LATE_TININESS = _constant(MACHINE == "x86_64")
FP_HAS_FMA = _constant(has_fma())


def to_s64(bits: int) -> IrText:
    """A conversion to s64 in the rounding mode in force.

    LLVM removes calls of cvtss2si if their result is not used, with the flags that they raise. So
    they are used only on a processor without roundss (SSE4.1)."""
    return _x86_to_s64(bits) if MACHINE == "x86_64" and not has_round() else _other_to_s64(bits)
