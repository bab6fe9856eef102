"""The instruction set: a module for each extension, and machinery/, the code that they share.

Plugins import `Extension` from here.
"""

from rvplat.isa.machinery.extension import Extension

__all__ = ["Extension"]
