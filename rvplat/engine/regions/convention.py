"""How handlers take their arguments, as LLVM text.

Handlers are reached by tail calls. So they need not save the host's registers, and regions have
all of them: LLVM's `preserve_none`. On x86-64 its first two parameters are r12 and r13, whose
addresses have longer encodings. Nothing is passed in them.
"""

CONVENTION = "preserve_nonecc"
KINDS = ("i64", "i64", "ptr", "ptr", "ptr", "i64")
PARAMETERS = "i64, i64, ptr %hart, ptr %tlb, ptr %slot, i64 %budget"
PARAMETERS_NOALIAS = PARAMETERS.replace("%hart", "noalias %hart")


def arguments(slot: str, budget: str, tlb: str = "%tlb") -> str:
    """The arguments of a call of a handler."""
    return f"i64 poison, i64 poison, ptr %hart, ptr {tlb}, ptr {slot}, i64 {budget}"
