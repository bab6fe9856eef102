"""Zfh, half-precision floating-point (Unprivileged, "Zfh"): F and Zfa on halves.

Their texts are in rv_fd.py and rv_zfa.py. Zfhmin has the loads, stores, moves and conversions
between formats.
"""

from rvplat.isa import rv_fd, rv_zfa
from rvplat.isa.rv_fd import Scalar
from rvplat.isa.rv_scalar import Zfh

for one in vars(rv_fd).values():
    if isinstance(one, Scalar):
        one.half(Zfh, ())

for one in vars(rv_zfa).values():
    if isinstance(one, Scalar):
        one.half(Zfh, ("Zfa",))
