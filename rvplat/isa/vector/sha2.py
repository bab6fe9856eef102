"""Zvknha and Zvknhb, SHA-2 (Unprivileged, "Zvknha and Zvknhb"; FIPS 180-4). SEW 32 is SHA-256, and
64 SHA-512."""

from rvplat.isa.cryptography.sha2 import State, compressed, scheduled
from rvplat.isa.machinery.vocabulary import illegal
from rvplat.isa.rv_zvk import Zvknha
from rvplat.isa.vector.element_groups import from_both, group_loop, prepare_groups
from rvplat.isa.vector.elements import Width, element, set_element
from rvplat.isa.vector.forms import named
from rvplat.lang import Definition, define, u64
from rvplat.lang.host_forms import SHA256_MESSAGE, SHA256_ROUNDS, with_host_form


@define
def prepare_sha2(hart, vd: u64, vs2: u64, vs1: u64, size: u64):
    """SEW is 32, or 64 with Zvknhb ("SEW constraints"). vd can't overlap a source."""
    if vd == vs1:
        illegal(hart)
    if vd == vs2:
        illegal(hart)
    if hart.vsew != 32 and (hart.vsew != 64 or hart.has_zvknhb == 0):
        illegal(hart)
    prepare_groups(hart, vd, vs2, vs1, size)


def of_32_and_64(operation: Definition, size: int) -> Definition:
    """The loop for SEW as vtype has it. No source overlaps vd, and the texts read each element of d
    before they write it."""
    loop = group_loop(operation, size, in_place=True)

    @define
    def compute(hart, a: u64, b: u64, d: u64):
        if hart.vsew == 32:
            loop(hart, a, b, d, 32)
        else:
            loop(hart, a, b, d, 64)

    return named(compute, operation, "widths")


@define
def two_rounds(to: u64, a: u64, words: u64, d: u64, sew: Width):
    """Two rounds of compression. From the highest, a has the variables a, b, e, f; d has c, d, g,
    h."""
    state = State(
        element(a, u64(3), sew), element(a, u64(2), sew), element(d, u64(3), sew),
        element(d, u64(2), sew), element(a, u64(1), sew), element(a, u64(0), sew),
        element(d, u64(1), sew), element(d, u64(0), sew),
    )  # fmt: skip
    once = compressed(state, element(words, u64(0), sew), sew)
    twice = compressed(once, element(words, u64(1), sew), sew)
    set_element(to, u64(3), twice.a, sew)
    set_element(to, u64(2), twice.b, sew)
    set_element(to, u64(1), twice.e, sew)
    set_element(to, u64(0), twice.f, sew)


@with_host_form(SHA256_ROUNDS)
def two_rounds_of_32(to: u64, a: u64, words: u64, d: u64):
    two_rounds(to, a, words, d, 32)


@define
def compress(to: u64, a: u64, words: u64, d: u64, sew: Width):
    """Two rounds, on the host's SHA-256 unit if there is one."""
    if sew == 32:
        two_rounds_of_32(to, a, words, d)
    else:
        two_rounds(to, a, words, d, sew)


@define
def next_words(to: u64, a: u64, b: u64, d: u64, sew: Width):
    """Words 16 to 19 of the message schedule. d has words 0 to 3, a has 4, 9, 10 and 11, and b has
    12, none, 14 and 15."""
    w4 = element(a, u64(0), sew)
    w16 = scheduled(
        element(d, u64(0), sew), element(d, u64(1), sew), element(a, u64(1), sew),
        element(b, u64(2), sew), sew,
    )  # fmt: skip
    w17 = scheduled(
        element(d, u64(1), sew), element(d, u64(2), sew), element(a, u64(2), sew),
        element(b, u64(3), sew), sew,
    )  # fmt: skip
    w11 = element(a, u64(3), sew)
    w3 = element(d, u64(3), sew)
    set_element(to, u64(0), w16, sew)
    set_element(to, u64(1), w17, sew)
    set_element(to, u64(2), scheduled(element(d, u64(2), sew), w3, w11, w16, sew), sew)
    set_element(to, u64(3), scheduled(w3, w4, element(b, u64(0), sew), w17, sew), sew)


@with_host_form(SHA256_MESSAGE)
def next_words_of_32(to: u64, a: u64, b: u64, d: u64):
    next_words(to, a, b, d, 32)


@from_both(Zvknha, "101111", "vsha2cl.vv", prepare_sha2, widths=of_32_and_64, in_place=True)
def vsha2cl(to: u64, a: u64, b: u64, d: u64, sew: Width):
    """Two rounds of compression, with the lower words of b."""
    compress(to, a, b, d, sew)


@from_both(Zvknha, "101110", "vsha2ch.vv", prepare_sha2, widths=of_32_and_64, in_place=True)
def vsha2ch(to: u64, a: u64, b: u64, d: u64, sew: Width):
    """Two rounds of compression, with the upper words of b."""
    compress(to, a, b + (sew >> 2), d, sew)


@from_both(Zvknha, "101101", "vsha2ms.vv", prepare_sha2, widths=of_32_and_64, in_place=True)
def vsha2ms(to: u64, a: u64, b: u64, d: u64, sew: Width):
    """The next words of the message schedule."""
    if sew == 32:
        next_words_of_32(to, a, b, d)
    else:
        next_words(to, a, b, d, sew)
