/*
 * Floating point, double: five bodies under gravity, leapfrog steps. Square root and division
 * included.
 */
#include "../measure.h"

#define BODIES 5
#define STEPS 360000

struct body { double position[3], velocity[3], mass; };

static struct body bodies[BODIES];

static void place_bodies(void)
{
    u64 seed = 17;
    for (int i = 0; i < BODIES; i++) {
        for (int k = 0; k < 3; k++) {
            bodies[i].position[k] = (double)(next_random(&seed) >> 11) / (1L << 51) - 2.0;
            bodies[i].velocity[k] = (double)(next_random(&seed) >> 11) / (1L << 53) - 0.5;
        }
        bodies[i].mass = i ? 0.01 * i : 4.0;
    }
}

static NOINLINE void step(double dt)
{
    for (int i = 0; i < BODIES; i++) {
        struct body *a = &bodies[i];
        for (int j = i + 1; j < BODIES; j++) {
            struct body *b = &bodies[j];
            double d[3], square = 0.01; /* softened, so that no body escapes */
            for (int k = 0; k < 3; k++) {
                d[k] = a->position[k] - b->position[k];
                square += d[k] * d[k];
            }
            double pull = dt / (square * __builtin_sqrt(square));
            for (int k = 0; k < 3; k++) {
                a->velocity[k] -= d[k] * b->mass * pull;
                b->velocity[k] += d[k] * a->mass * pull;
            }
        }
    }
    for (int i = 0; i < BODIES; i++) {
        for (int k = 0; k < 3; k++) bodies[i].position[k] += dt * bodies[i].velocity[k];
    }
}

static u64 run(void)
{
    place_bodies();
    for (int i = 0; i < STEPS; i++) step(0.001);
    u64 sum = 0;
    for (int i = 0; i < BODIES; i++) {
        for (int k = 0; k < 3; k++) {
            union { double d; u64 u; } bits = {bodies[i].position[k]};
            sum = sum * 31 + bits.u;
        }
    }
    return sum;
}

int main(void) { return measure("nbody", 0xb0bd3dcaa5f274a5, run); }
