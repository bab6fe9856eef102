/*
 * Pointer chasing: follows a list of 8,192 cells of 64 bytes in random order, and sometimes relinks
 * a cell.
 */
#include "../measure.h"

#define CELLS 8192
#define STEPS (1 << 17)
#define ROUNDS 800

struct cell { struct cell *next; u64 value; u64 space[6]; };

BIG static struct cell cells[CELLS];
static u32 order[CELLS];

static void link_cells(void)
{
    u64 seed = 13;
    for (u32 i = 0; i < CELLS; i++) order[i] = i, cells[i].value = next_random(&seed);
    for (u32 i = CELLS - 1; i; i--) {
        u32 j = next_random(&seed) % (i + 1), t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
    for (u32 i = 0; i < CELLS; i++) cells[order[i]].next = &cells[order[(i + 1) % CELLS]];
}

static u64 run(void)
{
    link_cells();
    u64 sum = 0;
    struct cell *at = cells;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < STEPS; i++) {
            sum += at->value;
            at = at->next;
        }
        struct cell *moved = at->next; /* move the next cell behind its successor */
        at->next = moved->next;
        moved->next = at->next->next;
        at->next->next = moved;
        sum = (sum << 1 | sum >> 63) ^ round;
    }
    return sum;
}

int main(void) { return measure("chase", 0x68c419f43ee7c763, run); }
