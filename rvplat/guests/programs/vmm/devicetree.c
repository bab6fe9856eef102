/* The guest's flattened device tree: Devicetree Specification 0.4, chapter 5. */
#include "vmm.h"

#include <endian.h>
#include <stdarg.h>
#include <string.h>

enum { MAGIC = 0xd00dfeed, VERSION = 17, COMPATIBLE = 16, HEADER = 40, RESERVATIONS = 16 };
enum { BEGIN_NODE = 1, END_NODE, PROPERTY, END = 9 };
enum { ROOM = 16384, NAMES_ROOM = 1024 };
enum { CPU_HANDLE = 1, PLIC_HANDLE = 100 }; /* phandles: CPU_HANDLE + n, PLIC_HANDLE */

static struct {
    u8 *start, *at;
    char names[NAMES_ROOM];
    u32 names_size;
} tree;

static void put_cell(u32 value)
{
    u32 big = htobe32(value);
    memcpy(tree.at, &big, 4);
    tree.at += 4;
}

static void put_bytes(const void *data, u32 size)
{
    if (tree.at + size + 64 > tree.start + ROOM) die("the device tree is too large");
    memcpy(tree.at, data, size);
    memset(tree.at + size, 0, 3);
    tree.at += (size + 3) & ~3U;
}

static void begin(const char *format, u64 address)
{
    char name[64];
    snprintf(name, sizeof name, format, address);
    put_cell(BEGIN_NODE);
    put_bytes(name, strlen(name) + 1);
}

static void end(void) { put_cell(END_NODE); }

static u32 name_offset(const char *name)
{
    u32 at = 0;
    while (at < tree.names_size && strcmp(tree.names + at, name) != 0) {
        at += strlen(tree.names + at) + 1;
    }
    if (at == tree.names_size) {
        strcpy(tree.names + at, name);
        tree.names_size += strlen(name) + 1;
    }
    return at;
}

static void property(const char *name, const void *data, u32 size)
{
    put_cell(PROPERTY);
    put_cell(size);
    put_cell(name_offset(name));
    put_bytes(data, size);
}

static void text(const char *name, const char *value) { property(name, value, strlen(value) + 1); }

static void cells(const char *name, u32 count, ...)
{
    u32 values[4 * MAX_VCPUS];
    va_list arguments;
    va_start(arguments, count);
    for (u32 i = 0; i < count; i++) values[i] = htobe32(va_arg(arguments, u32));
    va_end(arguments);
    property(name, values, 4 * count);
}

static void reg(u64 base, u64 size)
{
    cells("reg", 4, (u32)(base >> 32), (u32)base, (u32)(size >> 32), (u32)size);
}

/* The extensions of the guest's vCPU by KVM, without those that need more than their name. */
static void write_isa(struct vcpu *vcpu, char *isa)
{
    static const struct { u64 id; const char *name; } further[] = {
        {ISA(SSTC), "sstc"}, {ISA(SVINVAL), "svinval"}, {ISA(SVNAPOT), "svnapot"},
        {ISA(SVPBMT), "svpbmt"}, {ISA(ZBA), "zba"}, {ISA(ZBB), "zbb"}, {ISA(ZBS), "zbs"},
        {ISA(ZICNTR), "zicntr"}, {ISA(ZICOND), "zicond"}, {ISA(ZICSR), "zicsr"},
        {ISA(ZIFENCEI), "zifencei"}, {ISA(ZIHINTPAUSE), "zihintpause"}, {ISA(ZIHPM), "zihpm"},
        {ISA(ZICBOM), "zicbom"}, {ISA(ZICBOZ), "zicboz"}, {ISA(ZFA), "zfa"},
        {ISA(SVADU), "svadu"}, {ISA(ZAWRS), "zawrs"},
    };
    u64 letters = get_reg(vcpu, CONFIG(isa)), there;
    isa += sprintf(isa, "rv64");
    for (const char *c = "imafdcv"; *c; c++) {
        if (letters >> (*c - 'a') & 1) *isa++ = *c;
    }
    *isa = 0;
    for (u32 i = 0; i < sizeof further / sizeof *further; i++) {
        if (try_get(vcpu, further[i].id, &there) == 0 && there) {
            isa += sprintf(isa, "_%s", further[i].name);
        }
    }
}

static void block_size(struct vcpu *vcpu, const char *name, u64 id)
{
    u64 size;
    if (try_get(vcpu, id, &size) == 0 && size) cells(name, 1, (u32)size);
}

/* satp.MODE, which KVM reports since Linux 6.4: 8 is Sv39. */
static const char *paging_mode(struct vcpu *vcpu)
{
    u64 mode = 8;
    try_get(vcpu, CONFIG(satp_mode), &mode);
    return mode >= 10 ? "riscv,sv57" : mode == 9 ? "riscv,sv48" : "riscv,sv39";
}

static void put_cpu(struct vcpu *vcpu)
{
    char isa[256];
    write_isa(vcpu, isa);
    begin("cpu@%lx", vcpu->number);
    text("device_type", "cpu");
    text("compatible", "riscv");
    cells("reg", 1, vcpu->number);
    text("status", "okay");
    text("riscv,isa", isa);
    text("mmu-type", paging_mode(vcpu));
    block_size(vcpu, "riscv,cbom-block-size", CONFIG(zicbom_block_size));
    block_size(vcpu, "riscv,cboz-block-size", CONFIG(zicboz_block_size));
    begin("interrupt-controller", 0);
    text("compatible", "riscv,cpu-intc");
    cells("#interrupt-cells", 1, 1);
    property("interrupt-controller", "", 0);
    cells("phandle", 1, CPU_HANDLE + vcpu->number);
    end();
    end();
}

static void put_cpus(struct vm *vm)
{
    begin("cpus", 0);
    cells("#address-cells", 1, 1);
    cells("#size-cells", 1, 0);
    cells("timebase-frequency", 1, (u32)get_reg(&vm->vcpus[0], TIMER(frequency)));
    for (u32 i = 0; i < vm->vcpu_count; i++) put_cpu(&vm->vcpus[i]);
    end();
}

static void put_devices(struct vm *vm)
{
    u32 contexts[2 * MAX_VCPUS];
    for (u32 i = 0; i < vm->vcpu_count; i++) {
        contexts[2 * i] = htobe32(CPU_HANDLE + i);
        contexts[2 * i + 1] = htobe32(9); /* supervisor external interrupt */
    }
    begin("soc", 0);
    text("compatible", "simple-bus");
    cells("#address-cells", 1, 2);
    cells("#size-cells", 1, 2);
    property("ranges", "", 0);
    begin("interrupt-controller@%lx", PLIC_BASE);
    property("compatible", "sifive,plic-1.0.0\0riscv,plic0", 30);
    reg(PLIC_BASE, PLIC_SIZE);
    cells("#interrupt-cells", 1, 1);
    cells("#address-cells", 1, 0);
    property("interrupt-controller", "", 0);
    property("interrupts-extended", contexts, 8 * vm->vcpu_count);
    cells("riscv,ndev", 1, PLIC_SOURCES - 1);
    cells("phandle", 1, PLIC_HANDLE);
    end();
    begin("serial@%lx", UART_BASE);
    text("compatible", "ns16550a");
    reg(UART_BASE, UART_SIZE);
    cells("clock-frequency", 1, 3686400);
    cells("interrupt-parent", 1, PLIC_HANDLE);
    cells("interrupts", 1, UART_SOURCE);
    end();
    end();
}

static void put_chosen(const char *append, u64 initrd, u64 initrd_end)
{
    begin("chosen", 0);
    text("bootargs", append);
    text("stdout-path", "/soc/serial@10000000");
    if (initrd_end > initrd) {
        cells("linux,initrd-start", 2, (u32)(initrd >> 32), (u32)initrd);
        cells("linux,initrd-end", 2, (u32)(initrd_end >> 32), (u32)initrd_end);
    }
    end();
}

static void put_header(u32 struct_size)
{
    u32 strings = HEADER + RESERVATIONS + struct_size, total = strings + tree.names_size;
    const u32 header[HEADER / 4] = {
        MAGIC, total, HEADER + RESERVATIONS, strings, HEADER, VERSION, COMPATIBLE, 0,
        tree.names_size, struct_size,
    };
    memcpy(tree.start + strings, tree.names, tree.names_size);
    tree.at = tree.start;
    for (u32 i = 0; i < HEADER / 4; i++) put_cell(header[i]);
}

/* Writes the tree; returns its size, at most ROOM + NAMES_ROOM. */
u64 build_device_tree(struct vcpu *first, void *place, const char *append, u64 initrd,
                      u64 initrd_end)
{
    struct vm *vm = first->vm;
    memset(&tree, 0, sizeof tree);
    memset(place, 0, HEADER + RESERVATIONS);
    tree.start = place;
    tree.at = tree.start + HEADER + RESERVATIONS;
    begin("", 0);
    cells("#address-cells", 1, 2);
    cells("#size-cells", 1, 2);
    text("compatible", "linux,dummy-virt");
    text("model", "rvplat vmm");
    put_chosen(append, initrd, initrd_end);
    begin("memory@%lx", RAM_BASE);
    text("device_type", "memory");
    reg(RAM_BASE, vm->ram_size);
    end();
    put_cpus(vm);
    put_devices(vm);
    end();
    put_cell(END);
    u32 struct_size = tree.at - tree.start - HEADER - RESERVATIONS;
    put_header(struct_size);
    return HEADER + RESERVATIONS + struct_size + tree.names_size;
}
