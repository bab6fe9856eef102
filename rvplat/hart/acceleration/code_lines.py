"""Pages and lines of RAM: where the words of a page are, and the bits of lines (64 bytes)."""

from rvplat.lang import define, u64


@define
def page_in(hart, region: u64, pa: u64) -> u64:
    """The number of an address's page in its region."""
    return (pa - hart.machine.ram[region].base) >> 12


@define
def code_word(hart, region: u64, pa: u64) -> u64:
    """The host address of the bits of an address's page."""
    return hart.machine.ram[region].code + page_in(hart, region, pa) * 8


@define
def line_bits(pa: u64, size: u64) -> u64:
    """The bits of the lines that `size` bytes touch, in one page."""
    first = pa >> 6 & 63
    last = (pa + size - 1) >> 6 & 63
    return (u64(2) << last) - (u64(1) << first)


@define
def region_place(hart, region: u64, pa: u64) -> u64:
    """The host address of the word in `regions` of an address's page."""
    return hart.machine.ram[region].regions + page_in(hart, region, pa) * 8
