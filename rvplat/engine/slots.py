"""Slots and their headers by host address."""

from rvplat.hart.state import Slot, SlotHeader
from rvplat.lang import record_at

slot_at = record_at(Slot)
header_at = record_at(SlotHeader)
