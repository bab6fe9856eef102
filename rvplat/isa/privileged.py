"""Names for the bits and codes of the privileged architecture (Privileged, chapters 2 and 3)."""

# Privilege modes (Privileged, "Privilege Levels"); 2 is reserved.
USER = 0
SUPERVISOR = 1
MACHINE = 3

# Pages ("Sv39: Page-Based 39-bit Virtual-Memory System").
PAGE_SHIFT = 12
PAGE_BYTES = 1 << PAGE_SHIFT
OFFSET_MASK = PAGE_BYTES - 1  # of an address in its page
PAGE_MASK = (1 << 64) - PAGE_BYTES

INTERRUPT = 1 << 63  # the Interrupt bit of mcause, scause and hart.trap_cause


class Status:
    """Fields of mstatus and sstatus ("Machine Status Registers")."""

    SIE = 1 << 1
    MIE = 1 << 3
    SPIE = 1 << 5
    MPIE = 1 << 7
    SPP = 1 << 8
    VS = 3 << 9
    MPP = 3 << 11
    MPP_SHIFT = 11
    FS = 3 << 13
    XS = 3 << 15
    MPRV = 1 << 17
    SUM = 1 << 18
    MXR = 1 << 19
    TVM = 1 << 20
    TW = 1 << 21
    TSR = 1 << 22
    SPELP = 1 << 23
    SDT = 1 << 24
    UXL = 3 << 32
    UXL_64 = 2 << 32
    SXL_64 = 2 << 34
    GVA = 1 << 38
    MPV = 1 << 39
    MPELP = 1 << 41
    MDT = 1 << 42
    SD = 1 << 63
    SD_32 = 1 << 31  # on RV32


class HStatus:
    """Fields of hstatus ("Hypervisor Status Register")."""

    GVA = 1 << 6
    SPV = 1 << 7
    SPVP = 1 << 8
    SPVP_SHIFT = 8
    HU = 1 << 9
    VGEIN = 0x3F << 12
    VGEIN_SHIFT = 12
    VTVM = 1 << 20
    VTW = 1 << 21
    VTSR = 1 << 22
    VSXL_64 = 2 << 32
    HUPMM = 3 << 48
    HUPMM_SHIFT = 48


class Irq:
    """Bits of mip, mie and mideleg ("Machine Interrupt Registers", hypervisor's included)."""

    SSI = 1 << 1
    VSSI = 1 << 2
    MSI = 1 << 3
    STI = 1 << 5
    VSTI = 1 << 6
    MTI = 1 << 7
    SEI = 1 << 9
    VSEI = 1 << 10
    MEI = 1 << 11
    SGEI = 1 << 12
    LCOFI = 1 << 13
    SUPERVISOR = SSI | STI | SEI
    MACHINE = MSI | MTI | MEI
    GUEST = VSSI | VSTI | VSEI
    HYPERVISOR = GUEST | SGEI


class NmiStatus:
    """Fields of mnstatus ("RNMI CSRs")."""

    NMIE = 1 << 3
    MNPV = 1 << 7
    MNPELP = 1 << 9
    MNPP = 3 << 11
    MNPP_SHIFT = 11


class Cause:
    """Exception codes ("Machine Cause Register")."""

    FETCH_MISALIGNED = 0
    FETCH_ACCESS = 1
    ILLEGAL = 2
    BREAKPOINT = 3
    LOAD_MISALIGNED = 4
    LOAD_ACCESS = 5
    STORE_MISALIGNED = 6
    STORE_ACCESS = 7
    ECALL_U = 8
    ECALL_S = 9
    ECALL_VS = 10
    ECALL_M = 11
    FETCH_PAGE = 12
    LOAD_PAGE = 13
    STORE_PAGE = 15
    DOUBLE_TRAP = 16
    SOFTWARE_CHECK = 18
    HARDWARE_ERROR = 19
    FETCH_GUEST_PAGE = 20
    LOAD_GUEST_PAGE = 21
    VIRTUAL = 22
    STORE_GUEST_PAGE = 23


class EnvCfg:
    """Fields of menvcfg, senvcfg and henvcfg ("Machine Environment Configuration Register")."""

    FIOM = 1 << 0
    LPE = 1 << 2
    SSE = 1 << 3
    CBIE = 3 << 4
    CBIE_SHIFT = 4
    CBCFE = 1 << 6
    CBZE = 1 << 7
    PMM = 3 << 32
    PMM_SHIFT = 32
    DTE = 1 << 59
    CDE = 1 << 60
    ADUE = 1 << 61
    PBMTE = 1 << 62
    STCE = 1 << 63


class SecCfg:
    """Fields of mseccfg ("Machine Security Configuration (mseccfg) Register")."""

    USEED = 1 << 8
    SSEED = 1 << 9
    MLPE = 1 << 10


class Counter:
    """Bits of mcounteren, scounteren and mcountinhibit: one for each counter's number."""

    CY = 1 << 0
    TM = 1 << 1
    IR = 1 << 2
    HPM = 0xFFFFFFF8


class StateEnable:
    """Bits of mstateen0 and hstateen0 ("State Enable 0 Registers"); SE is bit 63 of each."""

    P1P13 = 1 << 56
    CONTEXT = 1 << 57
    CSRIND = 1 << 60
    ENVCFG = 1 << 62
    SE = 1 << 63


VMID = 0x3FFF
VMID_SHIFT = 44  # of hgatp's VMID ("Hypervisor Guest Address Translation ... Register")
