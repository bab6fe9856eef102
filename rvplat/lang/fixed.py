"""Types of parameters that are constants in each call (`FIXED`, define.py)."""

from typing import Annotated

from rvplat.lang.define import FIXED
from rvplat.lang.types import u64

FixedU64 = Annotated[u64, FIXED]
FixedBool = Annotated[bool, FIXED]
