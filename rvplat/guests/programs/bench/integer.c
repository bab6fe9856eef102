/* Integer arithmetic: hashing, shifts, multiplication, division, comparisons of small records. */
#include "../measure.h"

#define RECORDS 256
#define ROUNDS 200000

struct record { u32 key, weight; char name[24]; };

static struct record records[RECORDS];

static u64 hash_name(const struct record *r)
{
    u64 h = 0xcbf29ce484222325; /* FNV-1a */
    for (int i = 0; i < 24 && r->name[i]; i++) h = (h ^ r->name[i]) * 0x100000001b3;
    return h;
}

static u64 mix(u64 h)
{
    h = (h ^ h >> 33) * 0xff51afd7ed558ccd;
    h = (h ^ h >> 29) * 0xc4ceb9fe1a85ec53;
    return h ^ h >> 32;
}

static u64 run(void)
{
    u64 seed = 1, sum = 0;
    for (int i = 0; i < RECORDS; i++) {
        records[i].key = next_random(&seed);
        records[i].weight = next_random(&seed) % 1000 + 1;
        int length = next_random(&seed) % 16 + 4;
        for (int j = 0; j < length; j++) records[i].name[j] = 'a' + next_random(&seed) % 26;
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < RECORDS; i += 4) {
            struct record *r = &records[(i + round) % RECORDS];
            u64 h = hash_name(r) + sum;
            sum = sum * 31 + mix(h);
            r->key = (r->key << 7 | r->key >> 25) + h % r->weight;
            if ((s32)r->key < 0) sum -= r->key / r->weight;
            else sum ^= (s64)r->key * (s32)h;
        }
    }
    return sum;
}

int main(void) { return measure("integer", 0x5b7d83c937eeec33, run); }
