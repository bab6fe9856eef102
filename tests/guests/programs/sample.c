/* Samples itself with perf_event_open: instructions in user mode, one sample a million. Prints the
   counts of instructions and cycles, the samples, and how many of them are in `work`. */

#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PERIOD = 1000000, PAGES = 16, PAGE = 4096 };

static volatile uint64_t sink;

static int event(uint64_t config, uint64_t period) {
    struct perf_event_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.size = sizeof attr;
    attr.type = PERF_TYPE_HARDWARE;
    attr.config = config;
    attr.sample_period = period;
    attr.sample_type = PERF_SAMPLE_IP;
    attr.exclude_kernel = attr.exclude_hv = 1;
    return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

__attribute__((noinline)) static void work(uint64_t n) {
    uint64_t x = n;
    for (uint64_t i = 0; i < n; i++)
        x = x * 31 + (x >> 7);
    sink = x;
}

int main(void) {
    int instructions = event(PERF_COUNT_HW_INSTRUCTIONS, PERIOD);
    int cycles = event(PERF_COUNT_HW_CPU_CYCLES, 0);
    struct perf_event_mmap_page *ring =
        mmap(0, (1 + PAGES) * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, instructions, 0);
    if (instructions < 0 || cycles < 0 || ring == MAP_FAILED) {
        perror("perf_event_open");
        return 1;
    }
    work(10000000);
    ioctl(instructions, PERF_EVENT_IOC_DISABLE, 0);
    ioctl(cycles, PERF_EVENT_IOC_DISABLE, 0);
    uint64_t counted[2];
    read(instructions, &counted[0], 8);
    read(cycles, &counted[1], 8);
    unsigned samples = 0, inside = 0;
    char *records = (char *)ring + PAGE;
    for (uint64_t at = 0; at < ring->data_head;) {
        struct perf_event_header *record = (void *)(records + at);
        if (record->type == PERF_RECORD_SAMPLE) {
            uint64_t pc = *(uint64_t *)(record + 1);
            samples++;
            inside += pc - (uintptr_t)work < 256;
        }
        at += record->size;
    }
    printf("sampled: %llu instructions, %llu cycles, %u samples, %u inside\n",
           (unsigned long long)counted[0], (unsigned long long)counted[1], samples, inside);
    return 0;
}
