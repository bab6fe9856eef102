"""Ssdbltrp and Smdbltrp, double traps (Privileged, "Double Trap Control in mstatus Register").

They add no instructions or registers: the fields are in mstatus and menvcfg (priv_m.py), sstatus
(priv_s.py), henvcfg (rv_h.py) and vsstatus (rv_h_guest.py). `hart/trap.py` applies them.
"""
