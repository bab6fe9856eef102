"""The instruction set as text: a file for each extension; machinery/ is what they use.

Plugins import `Extension` from here.
"""

from rvplat.isa.machinery.extension import Extension

__all__ = ["Extension"]
