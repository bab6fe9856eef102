/*
 * Indirect jumps: a small stack machine with computed goto runs a Collatz search and a
 * sum of remainders.
 */
#include "../measure.h"

enum { PUSH, LOAD, STORE, ADD, SUB, MUL, REM, HALVE, ODD, LESS, JUMP_IF, JUMP, HALT };

/* variables: 0 n, 1 x, 2 steps, 3 total, 4 limit */
static const u8 program[] = {
    /*  0 */ PUSH, 1, STORE, 0,
    /*  4 */ LOAD, 0, STORE, 1, PUSH, 0, STORE, 2,
    /* 12 */ PUSH, 1, LOAD, 1, LESS, JUMP_IF, 22, JUMP, 54, HALT,
    /* 22 */ LOAD, 1, ODD, JUMP_IF, 35,
    /* 27 */ LOAD, 1, HALVE, STORE, 1, JUMP, 45, HALT,
    /* 35 */ PUSH, 3, LOAD, 1, MUL, PUSH, 1, ADD, STORE, 1,
    /* 45 */ LOAD, 2, PUSH, 1, ADD, STORE, 2, JUMP, 12,
    /* 54 */ LOAD, 3, LOAD, 2, ADD, LOAD, 0, PUSH, 97, REM, ADD, STORE, 3,
    /* 67 */ LOAD, 0, PUSH, 1, ADD, STORE, 0,
    /* 74 */ LOAD, 0, LOAD, 4, LESS, JUMP_IF, 4, HALT,
};

static NOINLINE u64 interpret(const u8 *code, u64 limit)
{
    static const void *const labels[] = {
        &&push, &&load, &&store, &&add, &&sub, &&mul, &&rem,
        &&halve, &&odd, &&less, &&jump_if, &&jump, &&halt,
    };
    u64 stack[16], variables[8] = {0, 0, 0, 0, limit}, *top = stack;
    const u8 *pc = code;
#define NEXT goto *labels[*pc++]
    NEXT;
push:    *top++ = *pc++; NEXT;
load:    *top++ = variables[*pc++]; NEXT;
store:   variables[*pc++] = *--top; NEXT;
add:     top--; top[-1] += *top; NEXT;
sub:     top--; top[-1] -= *top; NEXT;
mul:     top--; top[-1] *= *top; NEXT;
rem:     top--; top[-1] %= *top; NEXT;
halve:   top[-1] >>= 1; NEXT;
odd:     top[-1] &= 1; NEXT;
less:    top--; top[-1] = top[-1] < *top; NEXT;
jump_if: pc = *--top ? code + *pc : pc + 1; NEXT;
jump:    pc = code + *pc; NEXT;
halt:    return variables[3];
}

static u64 run(void) { return interpret(program, 30000); }

int main(void) { return measure("bytecode", 0x41a954, run); }
