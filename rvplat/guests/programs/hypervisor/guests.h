/* A guest of the demo hypervisor: its registers, its memory and how it comes there. */
#ifndef GUESTS_H
#define GUESTS_H

#include "../demo/devicetree.h"
#include "../print.h"
#include "sbi.h"

#define GUESTS 2
#define GUEST_RAM 0x80000000UL    /* guest-physical */
#define GUEST_PAGES 128
#define PAGE 4096UL
#define SV39X4 (8UL << 60)
#define CAUSES 24

enum { PTE_V = 1, PTE_R = 2, PTE_W = 4, PTE_X = 8, PTE_U = 16, PTE_A = 64, PTE_D = 128 };
enum { A0 = 10, A1, A2, A6 = 16, A7 };
enum { RUNNING, WAITING, ENDED };
#define SSTATUS_SPIE (1UL << 5)
#define SSTATUS_SPP (1UL << 8)
#define HSTATUS_SPV (1UL << 7)
#define HSTATUS_SPVP (1UL << 8)
#define HSTATUS_VTW (1UL << 21)  /* a guest's wfi is a virtual-instruction exception */

/* What a switch between guests keeps, beside what every trap saves. */
#define VIRTUAL_CSRS(DO)                                                                    \
    DO(hgatp) DO(htimedelta) DO(hvip) DO(vsstatus) DO(vsie) DO(vstvec) DO(vsscratch)         \
    DO(vsepc) DO(vscause) DO(vstval) DO(vsatp) DO(vstimecmp)

struct guest {
    u64 x[32], pc, sstatus, hstatus, host_sp; /* world.S knows these */
#define FIELD(name) u64 name;
    VIRTUAL_CSRS(FIELD)
#undef FIELD
    const char *name;
    u32 state;
    u8 uart_ier;
    u64 message;
    char line[160];
    u32 line_size;
    u64 *gstage;
    u64 exits[CAUSES], interrupts;
};

void run_guest(struct guest *guest);
u64 fetch_as_guest(u64 address);
void forget_all_guests(void);
extern const u8 fibonacci_image[], sort_image[];

static struct guest guests[GUESTS];
static struct guest *on_hart; /* whose CSRs are in the hart */
static int have_vmids;

BIG static u8 guest_memory[GUESTS * GUEST_PAGES][PAGE];
/* Hypervisor Extension: the root of Sv39x4 is four pages, and aligned to that. */
static u64 gstage_root[GUESTS][2048] __attribute__((aligned(4 * PAGE)));
static u64 gstage_middle[GUESTS][512] __attribute__((aligned(PAGE)));
static u64 gstage_leaf[GUESTS][512] __attribute__((aligned(PAGE)));

static u64 gstage_entry(const void *to, u64 flags) { return (u64)to >> 12 << 10 | flags; }

/* The guests' pages take turns in memory, so that guest-physical is never physical. */
static void build_gstage(u32 number)
{
    u64 flags = PTE_V | PTE_R | PTE_W | PTE_X | PTE_U | PTE_A | PTE_D;
    for (u64 i = 0; i < GUEST_PAGES; i++) {
        gstage_leaf[number][i] = gstage_entry(guest_memory[GUESTS * i + number], flags);
    }
    gstage_middle[number][GUEST_RAM >> 21 & 511] = gstage_entry(gstage_leaf[number], PTE_V);
    gstage_root[number][GUEST_RAM >> 30] = gstage_entry(gstage_middle[number], PTE_V);
    guests[number].gstage = gstage_leaf[number];
    guests[number].hgatp = SV39X4 | (u64)(number + 1) << 44 | (u64)gstage_root[number] >> 12;
}

/* Where a byte of a guest's memory is; 0 if the guest has no memory there. */
static u8 *host_address(const struct guest *guest, u64 guest_physical)
{
    u64 page = (guest_physical - GUEST_RAM) / PAGE;
    if (guest_physical < GUEST_RAM || page >= GUEST_PAGES) return 0;
    return (u8 *)((guest->gstage[page] >> 10 << 12) + guest_physical % PAGE);
}

struct program_header { u32 type, flags; u64 offset, vaddr, paddr, filesz, memsz, align; };

/* Loads an ELF file's segments (type 1) at their physical addresses; all other memory is zero. */
static void load_image(const struct guest *guest, const u8 *image)
{
    for (u64 i = 0; i < GUEST_PAGES; i++) {
        memset(host_address(guest, GUEST_RAM + i * PAGE), 0, PAGE);
    }
    const struct program_header *header = (const void *)(image + REG(u64, image + 32));
    for (u32 left = REG(u16, image + 56); left; left--, header++) {
        if (header->type != 1) continue;
        for (u64 i = 0; i < header->filesz; i++) {
            *host_address(guest, header->paddr + i) = image[header->offset + i];
        }
    }
}

static void create_guest(u32 number, const char *name, const u8 *image)
{
    struct guest *guest = &guests[number];
    guest->name = name;
    build_gstage(number);
    load_image(guest, image);
    guest->pc = GUEST_RAM;
    guest->sstatus = SSTATUS_SPP | SSTATUS_SPIE;
    guest->hstatus = HSTATUS_SPV | HSTATUS_SPVP | HSTATUS_VTW;
    guest->htimedelta = -rdtime(); /* its clock starts now */
    guest->vstimecmp = ~0UL;
}

/* Puts a guest's virtual CSRs into the hart, and keeps those of the guest that was there. */
static void switch_to(struct guest *guest)
{
    if (guest == on_hart) return;
#define SAVE(name) on_hart->name = csr_read(name);
#define LOAD(name) csr_write(name, guest->name);
    if (on_hart) { VIRTUAL_CSRS(SAVE) }
    VIRTUAL_CSRS(LOAD)
    if (!have_vmids) forget_all_guests();
    on_hart = guest;
}

#endif
