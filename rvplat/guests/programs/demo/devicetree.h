/*
 * Reads a flattened device tree: Devicetree Specification 0.4, chapter 5. All that is found of
 * interest goes into one record.
 */
#ifndef DEVICETREE_H
#define DEVICETREE_H

#include "../lib.h"

enum { BEGIN_NODE = 1, END_NODE, PROPERTY, NOP, END = 9 };
enum { DEPTH = 8 };

struct machine {
    const char *model, *isa, *mmu, *uart_model;
    u64 harts, timebase_hz, uart_interrupt, plic_context;
    u64 memory, memory_size, uart, plic, clint, test;
};

struct value { const u8 *data; u32 size; };

/* A node's properties, as far as they are of interest, and how its children write addresses. */
struct node {
    struct value model, compatible, type, reg, isa, mmu, interrupts, extended, timebase;
    u32 address_cells, size_cells;
};

static u32 cell(const void *at)
{
    const u8 *p = at;
    return (u32)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static u64 cells(const u8 *at, u32 count)
{
    u64 value = 0;
    for (; count; count--, at += 4) value = value << 32 | cell(at);
    return value;
}

static int equal(const char *a, const char *b)
{
    while (*a && *a == *b) a++, b++;
    return *a == *b;
}

static const char *text(struct value value)
{
    return value.size ? (const char *)value.data : "(not said)";
}

/* Whether a list of strings, such as `compatible`, has this one. */
static int lists(struct value list, const char *name)
{
    for (u32 i = 0; i < list.size;) {
        const char *entry = (const char *)list.data + i;
        if (equal(entry, name)) return 1;
        while (list.data[i++]) { }
    }
    return 0;
}

static void keep_property(struct node *node, const char *name, struct value value)
{
    const struct { const char *name; struct value *place; } wanted[] = {
        {"model", &node->model}, {"compatible", &node->compatible}, {"device_type", &node->type},
        {"reg", &node->reg}, {"riscv,isa", &node->isa}, {"mmu-type", &node->mmu},
        {"interrupts", &node->interrupts}, {"interrupts-extended", &node->extended},
        {"timebase-frequency", &node->timebase},
    };
    for (u32 i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        if (equal(name, wanted[i].name)) *wanted[i].place = value;
    }
    if (equal(name, "#address-cells")) node->address_cells = cell(value.data);
    if (equal(name, "#size-cells")) node->size_cells = cell(value.data);
}

/* The PLIC's first context for supervisor external interrupts (9): hart 0's. */
static u32 supervisor_context(struct value extended)
{
    for (u32 i = 0; i + 8 <= extended.size; i += 8) {
        if (cell(extended.data + i + 4) == 9) return i / 8;
    }
    return 1;
}

static void note_node(struct machine *machine, const struct node *node, const struct node *parent)
{
    u64 base = node->reg.size ? cells(node->reg.data, parent->address_cells) : 0;
    if (node->model.size) machine->model = text(node->model);
    if (node->timebase.size) machine->timebase_hz = cell(node->timebase.data);
    if (lists(node->type, "cpu")) {
        machine->harts++;
        machine->isa = text(node->isa);
        machine->mmu = text(node->mmu);
    } else if (lists(node->type, "memory")) {
        machine->memory = base;
        const u8 *size = node->reg.data + 4 * parent->address_cells;
        machine->memory_size = cells(size, parent->size_cells);
    } else if (lists(node->compatible, "ns16550a")) {
        machine->uart = base;
        machine->uart_model = text(node->compatible);
        machine->uart_interrupt = node->interrupts.size ? cell(node->interrupts.data) : 0;
    } else if (lists(node->compatible, "riscv,plic0")) {
        machine->plic = base;
        machine->plic_context = supervisor_context(node->extended);
    } else if (lists(node->compatible, "riscv,clint0")) {
        machine->clint = base;
    } else if (lists(node->compatible, "sifive,test0")) {
        machine->test = base;
    }
}

/* 0 if there is no device tree at this address. */
static int read_device_tree(const u8 *tree, struct machine *machine)
{
    if (((u64)tree & 3) || !tree || cell(tree) != 0xd00dfeed) return 0;
    const u8 *at = tree + cell(tree + 8);
    const char *strings = (const char *)tree + cell(tree + 12);
    static struct node nodes[DEPTH];
    static const struct node fresh = {.address_cells = 2, .size_cells = 1};
    nodes[0] = fresh;
    for (u32 depth = 0, token; (token = cell(at)) != END;) {
        at += 4;
        if (token == BEGIN_NODE) {
            if (++depth == DEPTH) return 0;
            nodes[depth] = fresh;
            while (*at++) { }
            at = (const u8 *)(((u64)at + 3) & ~3UL);
        } else if (token == PROPERTY) {
            struct value value = {at + 8, cell(at)};
            keep_property(&nodes[depth], strings + cell(at + 4), value);
            at += 8 + ((value.size + 3) & ~3U);
        } else if (token == END_NODE) {
            note_node(machine, &nodes[depth], &nodes[depth - 1]);
            depth--;
        }
    }
    return 1;
}

#endif
