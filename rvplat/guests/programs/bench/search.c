/*
 * String search: words in a text of 64 KiB, by their first letter, by Horspool's table, and by a
 * pattern with wildcards.
 */
#include "../measure.h"

#define SIZE 65536
#define ROUNDS 220
#define WORDS 64

BIG static u8 text[SIZE];
static u8 words[WORDS][16];
static u64 lengths[WORDS];

static void make_words(u64 *seed)
{
    for (int i = 0; i < WORDS; i++) {
        lengths[i] = 3 + next_random(seed) % 9;
        for (u64 j = 0; j < lengths[i]; j++)
            words[i][j] = "etaoinshrdlucmfw"[next_random(seed) % 16];
    }
}

static void write_text(u64 *seed)
{
    u64 at = 0;
    while (at + 16 < SIZE) {
        u64 r = next_random(seed), word = r % WORDS * (r >> 20) % WORDS; /* some words are rare */
        for (u64 j = 0; j < lengths[word]; j++) text[at++] = words[word][j];
        text[at++] = r >> 40 & 15 ? ' ' : '\n';
    }
    while (at < SIZE) text[at++] = '.';
}

static NOINLINE u64 by_letter(const u8 *word, u64 length)
{
    u64 sum = 0;
    for (const u8 *p = text; p <= text + SIZE - length; p++) {
        if (*p != *word) continue;
        u64 n = 1;
        while (n < length && p[n] == word[n]) n++;
        if (n == length) sum = sum * 3 + (p - text);
    }
    return sum;
}

static NOINLINE u64 by_table(const u8 *word, u64 length) /* Horspool, 1980 */
{
    u8 shifts[256];
    u64 sum = 0;
    for (int i = 0; i < 256; i++) shifts[i] = length;
    for (u64 i = 0; i + 1 < length; i++) shifts[word[i]] = length - 1 - i;
    for (u64 at = 0; at + length <= SIZE; at += shifts[text[at + length - 1]]) {
        u64 n = length;
        while (n && text[at + n - 1] == word[n - 1]) n--;
        if (!n) sum = sum * 3 + at;
    }
    return sum;
}

/* Whether the text begins with a pattern, in which ? stands for a letter and * for some letters. */
static int begins_with(const u8 *p, const u8 *pattern)
{
    for (;; p++, pattern++) {
        if (!*pattern) return 1;
        if (*pattern == '*') {
            do if (begins_with(p, pattern + 1)) return 1; while (*p++ > ' ');
            return 0;
        }
        if (*p <= ' ' || (*pattern != '?' && *p != *pattern)) return 0;
    }
}

static NOINLINE u64 by_pattern(const u8 *word, u64 length)
{
    u8 pattern[8] = {word[0], '?', word[2], '*', word[length - 1], 0};
    u64 sum = 0;
    for (u64 at = 0; at < SIZE - 16; at++)
        if (begins_with(text + at, pattern)) sum = sum * 3 + at;
    return sum;
}

static u64 run(void)
{
    u64 seed = 29, sum = 0;
    make_words(&seed);
    write_text(&seed);
    for (int round = 0; round < ROUNDS; round++) {
        const u8 *word = words[round % WORDS];
        u64 length = lengths[round % WORDS], found = by_letter(word, length);
        for (int i = 0; i < 4; i++) {
            found += by_table(word, length) * 2;
            text[next_random(&seed) % (SIZE - 16)] = word[i % 3];
        }
        sum = sum * 31 + found + by_pattern(word, length);
    }
    return sum;
}

int main(void) { return measure("search", 0x72616d1f789ecbdc, run); }
