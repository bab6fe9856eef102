"""When the extensions that rvplat knows were ratified, and where their text is.

`when` is the year and month. Volume I is the unprivileged and II the privileged manual; `chapter`
is the heading of the chapter or section there. The dates are those of the manuals' own prefaces
where they have one (I, M, F, D and C in 20190608, A in 20191213, H in 20211203), of the repository
of the specification, of the profile for an extension that a profile defines, and otherwise of the
RISC-V Unified Database. Extensions that only the profiles name are here too, so that a list of what
is missing can say what it is.
"""

from __future__ import annotations

from functools import cache

from rvplat.frozen import frozen


@frozen
class Ratification:
    """The month in which an extension was ratified, such as "2023-11", and its chapter."""

    when: str
    volume: str
    chapter: str


_TEXT = """
I            2019-06  I   RV64I Base Integer Instruction Set
M            2019-06  I   M Extension for Integer Multiplication and Division
A            2019-12  I   A Extension for Atomic Instructions
F            2019-06  I   F Extension for Single-Precision Floating-Point
D            2019-06  I   D Extension for Double-Precision Floating-Point
C            2019-06  I   C Extension for Compressed Instructions
B            2024-04  I   B Bit Manipulation Extension for Application Processors
V            2021-11  I   V Vector Extension for Application Processors
H            2021-12  II  H Extension for Hypervisor Support
S            2024-10  II  Supervisor-Level ISA
U            2024-10  II  Machine-Level ISA
Zic64b       2023-03  I   Zic64b Extension for 64-byte Cache Blocks
Zicbom       2021-11  I   Zicbom Extension for Cache-Block Management
Zicbop       2021-11  I   Zicbop Extension for Cache-Block Prefetch
Zicboz       2021-11  I   Zicboz Extension for Cache-Block Zero
Ziccamoa     2023-03  I   Ziccamoa Extension for Main Memory Atomics
Ziccamoc     2024-10  I   Ziccamoc Extension for Main Memory Compare-and-Swap
Ziccif       2023-03  I   Ziccif Extension for Instruction-Fetch Atomicity
Zicclsm      2023-03  I   Zicclsm Extension for Main Memory Misaligned Accesses
Ziccrse      2023-03  I   Ziccrse Extension for Main Memory Reservability
Zicfilp      2024-07  I   Zicfilp for Landing Pad
Zicfiss      2024-07  I   Zicfiss for Shadow Stack
Zicntr       2023-03  I   Zicntr Extension for Base Counters and Timers
Zicond       2023-11  I   Zicond Extension for Integer Conditional Operations
Zicsr        2019-06  I   Zicsr Extension for Control and Status Register (CSR) Instructions
Zifencei     2019-06  I   Zifencei Extension for Instruction-Fetch Fence
Zihintntl    2023-05  I   Zihintntl Extension for Non-Temporal Locality Hints
Zihintpause  2021-02  I   Zihintpause Extension for Pause Hint
Zihpm        2023-03  I   Zihpm Extension for Hardware Performance Counters
Zilsd        2025-02  I   Zilsd Extension for Load/Store Pair Instructions
Zimop        2024-03  I   Zimop Extension for May-Be-Operations
Zmmul        2022-06  I   Zmmul Extension for Integer Multiplication
Za128rs      2023-03  I   Za128rs Extension for Reservation-Set Size
Za64rs       2023-03  I   Za64rs Extension for Reservation-Set Size
Zaamo        2024-04  I   Zaamo Extension for Atomic Memory Operations
Zabha        2024-04  I   Zabha Extension for Byte and Halfword Atomic Memory Operations
Zacas        2023-11  I   Zacas Extension for Atomic Compare-and-Swap (CAS) Instructions
Zalrsc       2024-04  I   Zalrsc Extension for Load-Reserved/Store-Conditional Instructions
Zama16b      2024-10  I   Zama16b Extension for 16-byte Misaligned Atomicity
Zawrs        2022-11  I   Zawrs Extension for Wait-on-Reservation-Set instructions
Zfa          2023-09  I   Zfa Extension for Additional Floating-Point Instructions
Zfbfmin      2024-06  I   Zfbfmin Extension for BFloat16 Conversions
Zfh          2021-11  I   Zfh Extension for Half-Precision Floating-Point
Zfhmin       2021-11  I   Zfhmin Extension for Half-Precision Floating-Point Conversions
Zca          2023-04  I   Zca Extension for Integer Compressed Instructions
Zcb          2023-04  I   Zcb Extension for Additional Compressed Instructions
Zcd          2023-04  I   Zcd Extension for Double-Precision Floating-Point Compressed Instructions
Zcf          2023-04  I   Zcf Extension for Single-Precision Floating-Point Compressed Instructions
Zclsd        2025-02  I   Zclsd Extension for Compressed Load/Store Pair Instructions
Zcmop        2024-03  I   Zcmop Extension for Compressed May-Be-Operations
Zba          2021-11  I   Zba Extension for Address Generation
Zbb          2021-11  I   Zbb Extension for Basic Bit Manipulation
Zbc          2021-11  I   Zbc Extension for Carry-less Multiplication
Zbkb         2021-12  I   Zbkb Extension for Bit Manipulation for Cryptography
Zbkc         2021-12  I   Zbkc Extension for Carry-less Multiplication for Cryptography
Zbkx         2021-12  I   Zbkx Extension for Crossbar Permutations
Zbs          2021-11  I   Zbs Extension for Single-Bit Manipulation
Zk           2021-12  I   Zk Standard scalar cryptography extension
Zkn          2021-12  I   Zkn NIST Algorithm Suite
Zknd         2021-12  I   Zknd NIST Suite: AES Decryption
Zkne         2021-12  I   Zkne NIST Suite: AES Encryption
Zknh         2021-12  I   Zknh NIST Suite: Hash Function Instructions
Zkr          2021-12  I   Zkr Entropy Source Extension
Zks          2021-12  I   Zks ShangMi Algorithm Suite
Zksed        2021-12  I   Zksed ShangMi Suite: SM4 Block Cipher Instructions
Zksh         2021-12  I   Zksh ShangMi Suite: SM3 Hash Function Instructions
Zkt          2021-12  I   Zkt Extension for Data-Independent Execution Latency
Zvbb         2023-09  I   Zvbb Vector Extension for Basic Bit Manipulation
Zvbc         2023-09  I   Zvbc Vector Extension for Carry-less Multiplication
Zve32f       2021-11  I   Zve32f Vector Extension for Single-Precision Floating-Point
Zve32x       2021-11  I   Zve32x Vector Extension for 32-bit Integer
Zve64d       2021-11  I   Zve64d Vector Extension for Double-Precision Floating-Point
Zve64f       2021-11  I   Zve64f Vector Extension for 64-bit Integer and Single-Precision Floating-Point
Zve64x       2021-11  I   Zve64x Vector Extension for 64-bit Integer
Zvfbfmin     2024-06  I   Zvfbfmin Vector Extension for BFloat16 Conversions
Zvfbfwma     2024-06  I   Zvfbfwma Vector Extension for BFloat16 Widening Multiply-Add
Zvfh         2023-06  I   Zvfh Vector Extension for Half-Precision Floating-Point
Zvfhmin      2023-06  I   Zvfhmin Vector Extension for Half-Precision Floating-Point Conversions
Zvkb         2023-09  I   Zvkb Vector Cryptography Bit-manipulation
Zvkg         2023-09  I   Zvkg Vector GCM/GMAC
Zvkn         2023-09  I   Zvkn NIST Algorithm Suite
Zvknc        2023-09  I   Zvknc NIST Algorithm Suite with carry-less multiply
Zvkned       2023-09  I   Zvkned NIST Suite: Vector AES Block Cipher
Zvkng        2023-09  I   Zvkng NIST Algorithm Suite with GCM
Zvknha       2023-09  I   Zvknha and Zvknhb NIST Suite: Vector SHA-2 Secure Hash
Zvknhb       2023-09  I   Zvknha and Zvknhb NIST Suite: Vector SHA-2 Secure Hash
Zvks         2023-09  I   Zvks ShangMi Algorithm Suite
Zvksc        2023-09  I   Zvksc ShangMi Algorithm Suite with carry-less multiplication
Zvksed       2023-09  I   Zvksed ShangMi Suite: SM4 Block Cipher
Zvksg        2023-09  I   Zvksg ShangMi Algorithm Suite with GCM
Zvksh        2023-09  I   Zvksh ShangMi Suite: SM3 Secure Hash
Zvkt         2023-09  I   Zvkt Vector Data-Independent Execution Latency
Zvl1024b     2021-11  I   Zvl*: Minimum Vector Length Extensions
Zvl128b      2021-11  I   Zvl*: Minimum Vector Length Extensions
Zvl256b      2021-11  I   Zvl*: Minimum Vector Length Extensions
Zvl32b       2021-11  I   Zvl*: Minimum Vector Length Extensions
Zvl512b      2021-11  I   Zvl*: Minimum Vector Length Extensions
Zvl64b       2021-11  I   Zvl*: Minimum Vector Length Extensions
Sdtrig       2025-02  D   Sdtrig (the RISC-V Debug Specification)
Sha          2024-10  II  Sha Augmented Hypervisor Extension
Shcounterenw 2023-03  II  Shcounterenw Extension for Counter-Enable Writability
Shgatpa      2023-03  II  Shgatpa Extension for Translation Mode Support
Shlcofideleg 2024-10  II  Hypervisor Interrupt Registers
Shtvala      2023-03  II  Shtvala Extension for Trap Value Reporting
Shvsatpa     2023-03  II  Shvsatpa Extension for Translation Mode Support
Shvstvala    2023-03  II  Shvstvala Extension for Trap Value Reporting
Shvstvecd    2023-03  II  Shvstvecd Extension for Direct Trap Vectoring
Sm           2024-10  II  Machine-Level ISA
Sm1p11       2019-06  II  Machine-Level ISA
Sm1p12       2021-12  II  Machine-Level ISA
Sm1p13       2024-10  II  Machine-Level ISA
Smcdeleg     2024-03  II  Smcdeleg and Ssccfg Counter Delegation Extensions
Smcntrpmf    2023-08  II  Smcntrpmf Cycle and Instret Privilege Mode Filtering
Smcsrind     2024-02  II  Smcsrind and Sscsrind Extensions for Indirect CSR Access
Smdbltrp     2024-08  II  Smdbltrp Double Trap Extension
Smmpm        2024-10  II  Pointer Masking Extensions
Smnpm        2024-10  II  Pointer Masking Extensions
Smpmp        2024-10  II  Physical Memory Protection
Smrnmi       2024-06  II  Smrnmi Extension for Resumable Non-Maskable Interrupts
Smstateen    2021-11  II  Smstateen and Ssstateen Extensions
Ss1p11       2019-06  II  Supervisor-Level ISA
Ss1p12       2021-12  II  Supervisor-Level ISA
Ss1p13       2024-10  II  Supervisor-Level ISA
Ssccfg       2024-03  II  Smcdeleg and Ssccfg Counter Delegation Extensions
Ssccptr      2023-03  II  Ssccptr Extension for Main Memory Page-Table Reads
Sscofpmf     2021-11  II  Sscofpmf Extension for Count Overflow and Mode-Based Filtering
Sscounterenw 2023-03  II  Sscounterenw Extension for Counter-Enable Writability
Sscsrind     2024-02  II  Smcsrind and Sscsrind Extensions for Indirect CSR Access
Ssdbltrp     2024-08  II  Ssdbltrp Double Trap Extension
Ssnpm        2024-10  II  Pointer Masking Extensions
Sspm         2024-10  II  Pointer Masking Extensions
Ssstateen    2021-11  II  Smstateen and Ssstateen Extensions
Ssstrict     2024-10  II  Ssstrict Extension for Extension Conformance
Sstc         2021-11  II  Sstc Extension for Supervisor-mode Timer Interrupts
Sstvala      2023-03  II  Sstvala Extension for Trap Value Reporting
Sstvecd      2023-03  II  Sstvecd Extension for Direct Trap Vectoring
Ssu64xl      2023-03  II  Ssu64xl Extension for UXLEN=64 Support
Supm         2024-10  II  Pointer Masking Extensions
Sv32         2024-10  II  Sv32: Page-Based 32-bit Virtual-Memory Systems
Sv39         2024-10  II  Sv39: Page-Based 39-bit Virtual-Memory System
Sv48         2024-10  II  Sv48: Page-Based 48-bit Virtual-Memory System
Sv57         2024-10  II  Sv57: Page-Based 57-bit Virtual-Memory System
Svade        2023-11  II  Virtual Address Translation Process
Svadu        2023-11  II  Svadu Extension for Hardware Updating of A/D Bits
Svbare       2023-03  II  Supervisor Address Translation and Protection (satp) Register
Svinval      2021-11  II  Svinval Extension for Fine-Grained Address-Translation Cache Invalidation
Svnapot      2021-11  II  Svnapot Extension for NAPOT Translation Contiguity
Svpbmt       2021-12  II  Svpbmt Extension for Page-Based Memory Types
Svvptc       2024-06  II  Svvptc Extension for Obviating Memory-Management Instructions after Marking PTEs Valid
"""  # noqa: E501


@cache
def ratifications() -> dict[str, Ratification]:
    """The ratifications by the extension's name, as it is written: "Zicond"."""
    found = {}
    for line in _TEXT.split("\n"):
        if line:
            name, when, volume, chapter = line.split(maxsplit=3)
            found[name] = Ratification(when, volume, chapter)
    return found
