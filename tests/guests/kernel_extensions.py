"""What Debian's kernel 6.12 knows of extensions. Its sources, below arch/riscv: kernel/cpufeature.c
(the names of riscv_isa_ext, in the order of /proc/cpuinfo), include/uapi/asm/hwprobe.h (the bits of
RISCV_HWPROBE_KEY_IMA_EXT_0), include/uapi/asm/kvm.h (enum KVM_RISCV_ISA_EXT_ID)."""

from __future__ import annotations

CPUINFO = (
    "i", "m", "a", "f", "d", "q", "c", "v", "h", "zicbom", "zicboz", "zicntr", "zicond", "zicsr",
    "zifencei", "zihintntl", "zihintpause", "zihpm", "zimop", "zacas", "zawrs", "zfa", "zfh",
    "zfhmin", "zca", "zcb", "zcd", "zcf", "zcmop", "zba", "zbb", "zbc", "zbkb", "zbkc", "zbkx",
    "zbs", "zknd", "zkne", "zknh", "zkr", "zkt", "zksed", "zksh", "ztso", "zvbb", "zvbc", "zve32f",
    "zve32x", "zve64d", "zve64f", "zve64x", "zvfh", "zvfhmin", "zvkb", "zvkg", "zvkned", "zvknha",
    "zvknhb", "zvksed", "zvksh", "zvkt", "smaia", "smstateen", "ssaia", "sscofpmf", "sstc",
    "svinval", "svnapot", "svpbmt", "svvptc",
)  # fmt: skip
"""Without those that stand for others: zk, zkn, zks, zvkn, zvknc, zvkng, zvks, zvksc, zvksg."""

HWPROBE = (
    "fd", "c", "v", "zba", "zbb", "zbs", "zicboz", "zbc", "zbkb", "zbkc", "zbkx", "zknd", "zkne",
    "zknh", "zksed", "zksh", "zkt", "zvbb", "zvbc", "zvkb", "zvkg", "zvkned", "zvknha", "zvknhb",
    "zvksed", "zvksh", "zvkt", "zfh", "zfhmin", "zihintntl", "zvfh", "zvfhmin", "zfa", "ztso",
    "zacas", "zicond", "zihintpause", "zve32x", "zve32f", "zve64x", "zve64f", "zve64d", "zimop",
    "zca", "zcb", "zcd", "zcf", "zcmop", "zawrs",
)  # fmt: skip
"""By bit, from 0. "fd" is F with D."""

KVM = (
    "a", "c", "d", "f", "h", "i", "m", "svpbmt", "sstc", "svinval", "zihintpause", "zicbom",
    "zicboz", "zbb", "ssaia", "v", "svnapot", "zba", "zbs", "zicntr", "zicsr", "zifencei", "zihpm",
    "smstateen", "zicond", "zbc", "zbkb", "zbkc", "zbkx", "zknd", "zkne", "zknh", "zkr", "zksed",
    "zksh", "zkt", "zvbb", "zvbc", "zvkb", "zvkg", "zvkned", "zvknha", "zvknhb", "zvksed", "zvksh",
    "zvkt", "zfh", "zfhmin", "zihintntl", "zvfh", "zvfhmin", "zfa", "ztso", "zacas", "sscofpmf",
    "zimop", "zca", "zcb", "zcd", "zcf", "zcmop", "zawrs",
)  # fmt: skip
"""By number, from 0."""

KVM_KEEPS = {"h", "sscofpmf"}
"""What KVM 6.12 does not give a guest on this machine: guests of guests, and Sscofpmf without
Ssaia (kvm/vcpu_onereg.c, kvm_riscv_vcpu_isa_enable_allowed)."""
