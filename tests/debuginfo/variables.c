#include "lib.h"
enum mode { IDLE, BUSY = 5, LOST = -1 };
typedef struct { int x; short y; } point;
struct state { u64 count; enum mode mode; point at[3]; struct state *next; char name[8]; union { u64 raw; struct { unsigned low:3; int high:5; }; }; _Bool on; float f; double d; };
static struct state other = {9, LOST, {{1,2},{3,-4},{5,6}}, 0, "other", {0xff}, 1, 1.5f, -2.25};
struct state state = {7, BUSY, {{1,2},{3,-4},{5,6}}, &other, "hello", {0x2d}, 1, 0.5f, 1e10};
int numbers[4] = {1, -2, 3, 4};
int matrix[2][3] = {{1,2,3},{4,5,6}};
void *nothing;
__attribute__((noinline)) u64 leaf(u64 n) { static u64 calls = 3; calls += n; state.count++; return calls; }
__attribute__((noinline)) u64 middle(u64 n) { u64 r = leaf(n) + leaf(n + 1); return r * 2; }
int main(void) { for (int i = 0; i < 100; i++) { numbers[0] += middle(i); other.count += numbers[0]; state.next->at[1].x++; } nothing = &matrix; return 0; }
