/*
 * A JSON parser (RFC 8259): reads a text of numbers, strings, arrays and objects into values, and
 * looks members up by name.
 */
#include "../measure.h"

#define SIZE 65536
#define ROUNDS 360
#define VALUES 16384

enum kind { NOTHING, FALSE, TRUE, NUMBER, STRING, ARRAY, OBJECT };

struct string { const u8 *start; u64 length; };
struct value {
    enum kind kind;
    struct string name, string; /* of a member of an object; of a string */
    double number;
    struct value *first, *next; /* elements or members; the next of the same array or object */
};

BIG static u8 text[SIZE];
BIG static u8 strings[SIZE];
BIG static struct value values[VALUES];
static u64 text_length, used;
static const u8 *at;
static u8 *free_string;

/* The text. */

static void write(const char *s) { while (*s) text[text_length++] = *s++; }

static void write_number(u64 value)
{
    u8 digits[24];
    int n = 0;
    do digits[n++] = '0' + value % 10; while (value /= 10);
    while (n) text[text_length++] = digits[--n];
}

static void write_string(u64 r)
{
    static const char *const parts[] = {"alpha", "be\\nta", "gamma", "\\u0064elta", " ", "x\\\\y"};
    write("\"");
    for (u64 n = r % 4; n < 5; n++, r /= 7) write(parts[r % 6]);
    write("\"");
}

static void write_value(u64 *seed, int depth)
{
    static const char *const names[] = {"id", "name", "size", "tags", "parent", "active"};
    u64 r = next_random(seed), kind = depth ? r % 9 : 8;
    if (kind < 3) {
        if (r >> 20 & 1) write("-");
        write_number((r >> 32) % (r >> 24 & 1 ? 100 : 1000000));
        if (r >> 21 & 1) write("."), write_number((r >> 40) % 1000 + 1);
        if (r >> 22 & 1) write(r >> 23 & 1 ? "e+2" : "E-3");
    } else if (kind < 5) {
        write_string(r >> 8);
    } else if (kind == 5) {
        write(r >> 20 & 1 ? "true" : r >> 21 & 1 ? "false" : "null");
    } else if (depth >= 6) {
        write(r >> 20 & 1 ? "[]" : "{}");
    } else {
        int is_object = r >> 20 & 1, count = depth ? (int)(r >> 24) % 6 : 7;
        write(is_object ? "{" : "[");
        for (int i = 0; i < count && text_length < SIZE - 2048; i++) {
            if (i) write(r >> 30 & 1 ? ", " : ",\n    ");
            if (is_object) write("\""), write(names[i % 6]), write("\": ");
            write_value(seed, depth + 1);
        }
        write(is_object ? "}" : "]");
    }
}

/* The parser. What it reads is right, so an error is a fault of this program: it ends the run. */

static NOINLINE void fail(void) { used = VALUES; }

static void skip_space(void)
{
    while (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r') at++;
}

static void expect(const char *word)
{
    while (*word) if (*at++ != (u8)*word++) return fail();
}

static u32 hex_digit(u8 c) { return c <= '9' ? c - '0' : (c | 32) - 'a' + 10; }

static NOINLINE struct string parse_string(void)
{
    u8 *start = free_string, *to = start;
    for (at++; *at != '"'; at++) {
        if (*at != '\\') {
            *to++ = *at;
            continue;
        }
        switch (*++at) {
        case 'n': *to++ = '\n'; break;
        case 't': *to++ = '\t'; break;
        case 'u':
            *to++ = hex_digit(at[3]) << 4 | hex_digit(at[4]);
            at += 4;
            break;
        default: *to++ = *at;
        }
    }
    at++;
    free_string = to;
    return (struct string){start, to - start};
}

static NOINLINE double parse_number(void)
{
    int negative = *at == '-', exponent = 0;
    s64 digits = 0;
    for (at += negative; *at >= '0' && *at <= '9'; at++) digits = digits * 10 + (*at - '0');
    if (*at == '.')
        for (at++; *at >= '0' && *at <= '9'; at++, exponent--) digits = digits * 10 + (*at - '0');
    if ((*at | 32) == 'e') {
        int minus = *++at == '-', value = 0;
        for (at += minus || *at == '+'; *at >= '0' && *at <= '9'; at++)
            value = value * 10 + (*at - '0');
        exponent += minus ? -value : value;
    }
    double power = 1, number = negative ? -digits : digits;
    for (int n = exponent < 0 ? -exponent : exponent; n; n--) power *= 10;
    return exponent < 0 ? number / power : number * power;
}

static struct value *parse_value(void);

/* The elements of an array or the members of an object, after its first character. */
static struct value *parse_parts(u8 end, int named)
{
    struct value *first = 0, **last = &first;
    skip_space();
    while (*at != end && used < VALUES) {
        struct string name = {0, 0};
        if (named) {
            name = parse_string();
            skip_space();
            expect(":");
        }
        *last = parse_value();
        (*last)->name = name;
        last = &(*last)->next;
        skip_space();
        if (*at == ',') at++, skip_space();
    }
    at++;
    return first;
}

static struct value *parse_value(void)
{
    struct value *value = &values[used < VALUES - 1 ? used++ : used];
    value->next = value->first = 0;
    skip_space();
    switch (*at) {
    case '{': at++, value->kind = OBJECT, value->first = parse_parts('}', 1); break;
    case '[': at++, value->kind = ARRAY, value->first = parse_parts(']', 0); break;
    case '"': value->kind = STRING, value->string = parse_string(); break;
    case 't': value->kind = TRUE, expect("true"); break;
    case 'f': value->kind = FALSE, expect("false"); break;
    case 'n': value->kind = NOTHING, expect("null"); break;
    default: value->kind = NUMBER, value->number = parse_number();
    }
    return value;
}

/* What is done with the values. */

static int same(struct string a, const char *b)
{
    for (u64 i = 0; i < a.length; i++) if (a.start[i] != (u8)b[i]) return 0;
    return b[a.length] == 0;
}

static const struct value *member(const struct value *object, const char *name)
{
    for (const struct value *one = object->first; one; one = one->next)
        if (same(one->name, name)) return one;
    return 0;
}

static u64 sum_of(const struct value *value)
{
    u64 sum = value->kind + 1;
    if (value->kind == NUMBER) {
        union { double d; u64 u; } bits = {value->number};
        return sum + bits.u;
    }
    if (value->kind == STRING) {
        for (u64 i = 0; i < value->string.length; i++) sum = sum * 33 + value->string.start[i];
        return sum;
    }
    if (value->kind == OBJECT && member(value, "tags")) sum += member(value, "tags")->kind * 7;
    for (const struct value *one = value->first; one; one = one->next) sum = sum * 31 + sum_of(one);
    return sum;
}

static u64 run(void)
{
    u64 seed = 37, sum = 0;
    text[text_length++] = '[';
    while (text_length < SIZE - 4096) {
        if (text_length > 1) write(",\n");
        write_value(&seed, 0);
    }
    text[text_length++] = ']';
    for (int round = 0; round < ROUNDS; round++) {
        at = text, used = 0, free_string = strings;
        sum = sum * 31 + sum_of(parse_value()) + (at - text) + used;
    }
    return sum;
}

int main(void) { return measure("json", 0x43107ab5638e2580, run); }
