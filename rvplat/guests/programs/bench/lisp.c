/*
 * A small interpreter with calls: reads functions of a Lisp into trees and evaluates them
 * recursively. Built-in functions are called by pointer.
 */
#include "../measure.h"

#define ROUNDS 12
#define NODES 1024
#define CELLS 16384
#define NAMES 64
#define MOST 5 /* arguments */

static const char source[] =
    "(define (fib n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))"
    "(define (tak x y z)"
    "  (if (< y x) (tak (tak (- x 1) y z) (tak (- y 1) z x) (tak (- z 1) x y)) z))"
    "(define (safe q d set)"
    "  (if (null set) 1"
    "    (if (= (head set) q) 0"
    "      (if (= (head set) (+ q d)) 0"
    "        (if (= (head set) (- q d)) 0 (safe q (+ d 1) (tail set)))))))"
    "(define (place q n set left total)"
    "  (if (= q n) total"
    "    (place (+ q 1) n set left"
    "      (if (safe q 1 set) (+ total (queens n (cons q set) (- left 1))) total))))"
    "(define (queens n set left) (if (= left 0) 1 (place 0 n set left 0)))"
    "(define (build n list) (if (= n 0) list (build (- n 1) (cons (* n n) list))))"
    "(define (sum list total) (if (null list) total (sum (tail list) (+ total (head list)))))"
    "(define (main n)"
    "  (+ (fib 19) (+ (tak 12 7 n) (+ (queens 6 0 6) (sum (build 400 0) n)))))";

enum kind { NUMBER, LOCAL, IF, CALL, BUILT_IN };

typedef u64 (*built_in)(const u64 *arguments);
struct node {
    enum kind kind;
    u32 count; /* of the parts */
    u64 value; /* of a number; the index of a local or a function */
    built_in call;
    struct node *parts[MOST];
};
struct cell { u64 head, tail; };

static struct node nodes[NODES], *bodies[NAMES];
static struct cell cells[CELLS];
static u64 node_count, cell_count, name_count, local_count;
static char names[NAMES][8], locals[MOST][8];
static const char *at;

static u64 add(const u64 *a) { return a[0] + a[1]; }
static u64 subtract(const u64 *a) { return a[0] - a[1]; }
static u64 multiply(const u64 *a) { return a[0] * a[1]; }
static u64 is_less(const u64 *a) { return (s64)a[0] < (s64)a[1]; }
static u64 is_equal(const u64 *a) { return a[0] == a[1]; }
static u64 is_null(const u64 *a) { return a[0] == 0; }
static u64 head(const u64 *a) { return ((struct cell *)a[0])->head; }
static u64 tail(const u64 *a) { return ((struct cell *)a[0])->tail; }
static u64 cons(const u64 *a)
{
    struct cell *cell = &cells[cell_count++ % CELLS];
    cell->head = a[0], cell->tail = a[1];
    return (u64)cell;
}

static const struct { const char *name; built_in call; } built_ins[] = {
    {"+", add}, {"-", subtract}, {"*", multiply}, {"<", is_less}, {"=", is_equal},
    {"null", is_null}, {"head", head}, {"tail", tail}, {"cons", cons},
};

/* Reading. */

static int same(const char *a, const char *b)
{
    while (*a && *a == *b) a++, b++;
    return *a == *b;
}

/* Skips spaces and a character, if it comes next. */
static int skip(char c)
{
    while (*at == ' ') at++;
    return *at == c ? at++, 1 : 0;
}

static void read_word(char *word)
{
    for (skip(' '); *at != ' ' && *at != '(' && *at != ')'; ) *word++ = *at++;
    *word = 0;
}

static u64 function(const char *name)
{
    u64 i = 0;
    while (i < name_count && !same(names[i], name)) i++;
    if (i == name_count) for (char *to = names[name_count++]; (*to++ = *name++); ) { }
    return i;
}

static struct node *read_node(void);

static struct node *read_form(struct node *node)
{
    char word[8];
    read_word(word);
    node->kind = same(word, "if") ? IF : CALL;
    for (u64 i = 0; i < sizeof built_ins / sizeof *built_ins; i++)
        if (same(word, built_ins[i].name)) node->kind = BUILT_IN, node->call = built_ins[i].call;
    if (node->kind == CALL) node->value = function(word);
    while (!skip(')')) node->parts[node->count++] = read_node();
    return node;
}

static struct node *read_node(void)
{
    struct node *node = &nodes[node_count++];
    char word[8];
    if (skip('(')) return read_form(node);
    read_word(word);
    for (u64 i = 0; i < local_count; i++)
        if (same(word, locals[i])) return node->kind = LOCAL, node->value = i, node;
    node->kind = NUMBER;
    for (const char *p = word; *p; p++) node->value = node->value * 10 + (*p - '0');
    return node;
}

static void read_functions(void)
{
    char word[8];
    for (at = source; skip('('); skip(')')) {
        read_word(word); /* define */
        skip('(');
        read_word(word);
        for (local_count = 0; !skip(')'); ) read_word(locals[local_count++]);
        u64 number = function(word);
        bodies[number] = read_node();
    }
}

/* Evaluating. A call in the last place of a function needs no frame of its own. */
static u64 evaluate(const struct node *node, const u64 *variables)
{
    u64 frame[MOST];
    for (;;) {
        u64 arguments[MOST];
        switch (node->kind) {
        case NUMBER: return node->value;
        case LOCAL: return variables[node->value];
        case IF:
            node = node->parts[evaluate(node->parts[0], variables) ? 1 : 2];
            continue;
        case BUILT_IN:
            for (u32 i = 0; i < node->count; i++)
                arguments[i] = evaluate(node->parts[i], variables);
            return node->call(arguments);
        case CALL:
            for (u32 i = 0; i < node->count; i++)
                arguments[i] = evaluate(node->parts[i], variables);
            for (u32 i = 0; i < node->count; i++) frame[i] = arguments[i];
            variables = frame;
            node = bodies[node->value];
        }
    }
}

static u64 run(void)
{
    u64 sum = 0;
    read_functions();
    const struct node *body = bodies[function("main")];
    for (u64 round = 0; round < ROUNDS; round++) {
        u64 n = round % 5;
        cell_count = 0;
        sum = sum * 31 + evaluate(body, &n);
    }
    return sum;
}

int main(void) { return measure("lisp", 0xdcbce0d79332a341, run); }
