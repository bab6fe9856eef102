"""The instruction set: a module for each extension, and machinery/, the code that they share.

Plugins import `Extension` from here, and the words of the vocabulary: `load_u64`, `jump`.
"""

from rvplat.isa.machinery.destinations import destination
from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.vocabulary import *  # noqa: F403

__all__ = ["Extension", "destination"]
