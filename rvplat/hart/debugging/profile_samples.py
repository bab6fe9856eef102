"""Samples for a profile of the guest.

When a budget has ended, the hart notes where it is and what it has done since the last sample. A
thread of Python reads the notes (machine/inspection/profile.py). Nobody else waits for them: notes
that the thread doesn't read in time are lost.
"""

from rvplat.hart.counters import steady_ns
from rvplat.hart.debugging.stack_walks import StackWalk, walk_here, walk_host
from rvplat.hart.debugging.world_switches import vmid_of
from rvplat.hart.state import HartState
from rvplat.isa.machinery.vocabulary import retired
from rvplat.lang import Record, define, fence, record_at, u64

PERIOD = 50_000  # instructions between two samples, at least
RING = 4096  # samples
LONGEST = 1 << 32  # instructions: more since the last sample means that the count was reset

ProfileSample = Record("ProfileSample")
ProfileSample.add("pc", u64)
ProfileSample.add("world", u64)  # privilege, V << 2, VMID << 3
ProfileSample.add("instructions", u64)  # since the last sample
ProfileSample.add("ns", u64)  # of the host's clock since then, without sleep
ProfileSample.add("here", StackWalk)
ProfileSample.add("host", StackWalk)  # below a guest

HartState.outside("profile_ring", u64)  # host address of the samples, or 0
HartState.outside("profile_count", u64)  # how many were ever noted
HartState.outside("profile_retired", u64)  # retired instructions at the last sample
HartState.outside("profile_ns", u64)  # the clock at the last sample

sample_at = record_at(ProfileSample)


@define
def awake_ns(hart) -> u64:
    """The host's clock without the time that the hart has slept."""
    return steady_ns(hart) - hart.asleep_ns


@define(cold=True)
def begin_profile(hart):
    """Native code is entered: the time since it was left doesn't count."""
    hart.profile_ns = awake_ns(hart)


@define(cold=True)
def take_profile(hart):
    """A budget has ended: note a sample, if the last one is long ago."""
    spent = retired(hart) - hart.profile_retired
    if spent < PERIOD:
        return
    now = awake_ns(hart)
    if spent < LONGEST:
        sample = sample_at(hart.profile_ring + hart.profile_count % RING * ProfileSample.size)
        sample.pc = hart.pc
        sample.world = u64(hart.priv) | u64(hart.virt) << 2 | vmid_of(hart.hgatp) << 3
        sample.instructions = spent
        sample.ns = now - hart.profile_ns
        walk_here(hart, sample.here)
        walk_host(hart, sample.host)
        fence()
        hart.profile_count += 1
    hart.profile_retired = retired(hart)
    hart.profile_ns = awake_ns(hart)
