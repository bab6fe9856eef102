/* Floating point, single: iterations of the Mandelbrot set over a grid, conversions included. */
#include "../measure.h"

#define SIZE 320
#define LIMIT 400

static int iterate(float x, float y)
{
    float a = 0, b = 0;
    int n = 0;
    for (; n < LIMIT; n++) {
        float aa = a * a, bb = b * b;
        if (aa + bb > 4.0f) break;
        b = 2.0f * a * b + y;
        a = aa - bb + x;
    }
    return n;
}

static u64 run(void)
{
    u64 sum = 0;
    for (int i = 0; i < SIZE; i++) {
        for (int j = 0; j < SIZE; j++) {
            float x = (float)j / SIZE * 3.0f - 2.2f, y = (float)i / SIZE * 2.6f - 1.3f;
            sum = sum * 31 + iterate(x, y);
        }
    }
    return sum;
}

int main(void) { return measure("mandelbrot", 0x454e53d12e92d786, run); }
