/* vectors MILLISECONDS WORKERS: so many processes of two threads keep states of their own in all
   vector and floating-point registers, compute with them, and do `work`, while timers send them
   signals. Every handler checks the state in its signal frame and uses other vector state. Prints the
   checksum of `work` for each seed, and what was done. The status is 0 if nothing was wrong. */

#include "registers.h"
#include "work.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 2, WORKERS_MOST = 16, CHANGED = 7, SIGNAL_NS = 1700000 };

/* What all processes share. */
struct shared {
    atomic_ulong holds, advances, works, signals, inside, wrong, moved;
    uint64_t sums[SEEDS];
    __int128 wide; /* for amocas.q */
    uint16_t half; /* for amoadd.h and amocas.h */
    unsigned long wides, halves;
};

static struct shared *shared;

static _Thread_local struct registers *now, *wanted;
static _Thread_local volatile int busy;
static _Thread_local uint64_t state;

static uint64_t next(void) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state >> 11;
}

static uint64_t vlenb(void) {
    uint64_t value;
    __asm__("csrr %0, vlenb" : "=r"(value));
    return value;
}

static void fail(const char *what, uint64_t found, uint64_t expected) {
    if (atomic_fetch_add(&shared->wrong, 1) < 20)
        fprintf(stderr, "wrong: %s is %#llx, expected %#llx\n", what, (unsigned long long)found,
                (unsigned long long)expected);
}

static void expect(const char *what, uint64_t found, uint64_t expected) {
    if (found != expected) fail(what, found, expected);
}

static void expect_vectors(const uint8_t *found, const char *what) {
    for (uint64_t i = 0; i < 32 * vlenb(); i++) {
        if (found[i] != wanted->v[i]) {
            fail(what, i / vlenb(), found[i]);
            return;
        }
    }
}

/* --- signals -------------------------------------------------------------------------------- */

/* Linux, arch/riscv/include/uapi/asm/sigcontext.h and ptrace.h: after the integer registers, 528 bytes,
   of which the last eight begin a list of further contexts. */
enum { FP_BYTES = 528, VECTOR_MAGIC = 0x53465457 };
struct context { uint32_t magic, size; };
struct vector_context {
    struct context header;
    uint64_t vstart, vl, vtype, vcsr, vlenb;
    uint8_t *data;
};

static void use_other_state(void) {
    struct registers other = {.vl = next() % 9, .vtype = next() % 4 << 3, .vcsr = next() % 8};
    static volatile int unused;
    memset(other.f, 0xa5, sizeof other.f);
    memset(other.v, (int)next(), sizeof other.v);
    hold(&other, 1 + next() % 64, (volatile int *)&unused);
}

/* The frame has the state of `hold`. Change one register in it: the loop must see that. */
static void look_at(struct vector_context *frame) {
    expect("magic", frame->header.magic, VECTOR_MAGIC);
    if (frame->header.magic != VECTOR_MAGIC) return;
    expect("vlenb in a frame", frame->vlenb, vlenb());
    if (!busy) return;
    atomic_fetch_add(&shared->inside, 1);
    expect("vl in a frame", frame->vl, wanted->vl);
    expect("vtype in a frame", frame->vtype, wanted->vtype);
    expect("vcsr in a frame", frame->vcsr, wanted->vcsr);
    expect("vstart in a frame", frame->vstart, wanted->vstart);
    expect_vectors(frame->data, "a vector register in a frame");
    for (uint64_t i = 0; i < vlenb(); i++) {
        frame->data[CHANGED * vlenb() + i] ^= 0x5a;
        wanted->v[CHANGED * vlenb() + i] ^= 0x5a;
    }
}

/* hold.S: `on_signal` with vstart 0, which a signal leaves as it was. */
void signal_entry(int number, siginfo_t *info, void *of);
void on_signal(int number, siginfo_t *info, void *of);

void on_signal(int number, siginfo_t *info, void *of) {
    ucontext_t *context = of;
    (void)number, (void)info;
    int was_busy = busy;
    atomic_fetch_add(&shared->signals, 1);
    char *registers = (char *)&context->uc_mcontext;
    look_at((void *)(registers + 32 * 8 + FP_BYTES - sizeof(struct context)));
    busy = 0;
    use_other_state();
    busy = was_busy;
}

static timer_t start_timer(void) {
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
    event.sigev_notify_thread_id = (int)syscall(SYS_gettid);
    struct itimerspec each = {{0, SIGNAL_NS}, {0, SIGNAL_NS}};
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &each, NULL))
        fail("timer", 1, 0);
    return timer;
}

/* --- what threads do ------------------------------------------------------------------------ */

static void choose(void) {
    uint64_t sew = next() % 4, lmul = next() & 7, vlmax = vlenb();
    if (lmul == 4 || (lmul > 4 && lmul - 4 < sew + 1)) lmul = 0; /* LMUL >= SEW / ELEN */
    vlmax = (lmul < 4 ? vlmax << lmul : vlmax >> (8 - lmul)) >> sew;
    *wanted = (struct registers){0};
    wanted->vtype = (next() & 3) << 6 | sew << 3 | lmul;
    wanted->vl = next() % (vlmax + 1);
    wanted->vcsr = next() & 7;
    wanted->fcsr = (next() % 5) << 5 | (next() & 31);
    wanted->vstart = vlmax > 1 ? next() % vlmax : 0;
    for (int i = 0; i < 32; i++) wanted->f[i] = next() * next();
    for (uint64_t i = 0; i < 32 * vlenb(); i++) wanted->v[i] = (uint8_t)next();
}

static void hold_one(void) {
    choose();
    int before = sched_getcpu();
    memcpy(now, wanted, sizeof *now);
    hold(now, 200000 + next() % 200000, &busy);
    expect("vl", now->vl, wanted->vl);
    expect("vtype", now->vtype, wanted->vtype);
    expect("vcsr", now->vcsr, wanted->vcsr);
    expect("vstart", now->vstart, wanted->vstart);
    expect("fcsr", now->fcsr, wanted->fcsr);
    expect_vectors(now->v, "a vector register");
    for (int i = 0; i < 32; i++) expect("a floating-point register", now->f[i], wanted->f[i]);
    atomic_fetch_add(&shared->holds, 1);
    atomic_fetch_add(&shared->moved, sched_getcpu() != before);
}

/* x * factor + summand, `turns` times: by squaring. */
static uint64_t repeated(uint64_t x, uint64_t turns, uint64_t factor, uint64_t summand) {
    for (; turns; turns >>= 1) {
        if (turns & 1) x = x * factor + summand;
        summand += summand * factor;
        factor *= factor;
    }
    return x;
}

static void advance_one(void) {
    static _Thread_local uint64_t before[4 * VLENB_MOST], v[4 * VLENB_MOST];
    uint64_t turns = 5000 + next() % 5000, factor = next() | 1, summand = next();
    for (uint64_t i = 0; i < 4 * vlenb(); i++) before[i] = v[i] = next();
    advance(v, turns, factor, summand);
    for (uint64_t i = 0; i < 4 * vlenb(); i++)
        expect("an element", v[i], repeated(before[i], turns, factor, summand));
    atomic_fetch_add(&shared->advances, 1);
}

/* f registers are kept by calls of the kernel, and vector registers are not. */
static void yield_one(void) {
    double kept = (double)(next() >> 20), again = kept;
    __asm__ volatile("fmv.d fs3, %1\n li a7, 124\n ecall\n fmv.d %0, fs3" /* sched_yield */
                     : "=f"(again) : "f"(kept) : "a0", "a7", "fs3", "memory");
    if (again != kept) fail("fs3", (uint64_t)again, (uint64_t)kept);
}

/* Zacas and Zabha: all processes add to the same words. Zimop, Zcmop: the result is 0. */
static void atomics(void) {
    __int128 expected = shared->wide, desired;
    do {
        desired = expected + ((__int128)1 << 64) + 3;
        register uint64_t low __asm__("a2") = (uint64_t)expected;
        register uint64_t high __asm__("a3") = (uint64_t)(expected >> 64);
        register uint64_t to_low __asm__("a4") = (uint64_t)desired;
        register uint64_t to_high __asm__("a5") = (uint64_t)(desired >> 64);
        __asm__ volatile(".option push\n .option arch, +zacas\n amocas.q.aqrl a2, a4, (%4)\n"
                         ".option pop" : "+r"(low), "+r"(high) : "r"(to_low), "r"(to_high),
                         "r"(&shared->wide) : "memory");
        __int128 found = (__int128)high << 64 | low;
        if (found == expected) break;
        expected = found;
    } while (1);
    atomic_fetch_add((atomic_ulong *)&shared->wides, 1);
    uint64_t one = 1, found;
    __asm__ volatile(".option push\n .option arch, +zabha\n amoadd.h %0, %1, (%2)\n .option pop"
                     : "=r"(found) : "r"(one), "r"(&shared->half) : "memory");
    atomic_fetch_add((atomic_ulong *)&shared->halves, 1);
    __asm__ volatile("li %0, 5\n mop.r.3 %0, %1\n c.mop.1" : "=&r"(found) : "r"(one));
    expect("mop.r.3", found, 0);
}

static void *busy_thread(void *of) {
    const uint64_t *until = of;
    now = calloc(2, sizeof *now);
    wanted = now + 1;
    state = (uint64_t)syscall(SYS_gettid) * 7919;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
    timer_t timer = start_timer();
    struct timespec time;
    do {
        hold_one();
        yield_one();
        advance_one();
        uint64_t seed = next() % SEEDS;
        expect("work", work(seed), shared->sums[seed]);
        atomic_fetch_add(&shared->works, 1);
        atomics();
        clock_gettime(CLOCK_MONOTONIC, &time);
    } while ((uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000 < *until);
    timer_delete(timer);
    return NULL;
}

static int worker(uint64_t until) {
    struct sigaction action = {.sa_sigaction = signal_entry, .sa_flags = SA_SIGINFO | SA_RESTART};
    pthread_t threads[THREADS];
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    sigaction(SIGUSR1, &action, NULL);
    for (int i = 1; i < THREADS; i++) pthread_create(&threads[i], NULL, busy_thread, &until);
    busy_thread(&until);
    for (int i = 1; i < THREADS; i++) pthread_join(threads[i], NULL);
    return 0;
}

/* Until all workers have ended, send first threads to another hart, wherever they are in `hold`. */
static void move_workers(const pid_t *pids, uint64_t count) {
    const struct timespec pause = {0, 3000000};
    long harts = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t ended = 0;
    int status;
    for (uint64_t turn = 0; ended < count; turn++) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET((turn / count + turn % count) % (uint64_t)harts, &one);
        sched_setaffinity(pids[turn % count], sizeof one, &one);
        nanosleep(&pause, NULL);
        while (waitpid(-1, &status, WNOHANG) > 0) {
            expect("a worker's status", (uint64_t)status, 0);
            ended++;
        }
    }
}

static void report(void) {
    struct rusage usage;
    expect("the high half of the shared sum", (uint64_t)(shared->wide >> 64), shared->wides);
    expect("the low half", (uint64_t)shared->wide, shared->wides * 3);
    expect("the shared halfword", shared->half, (uint16_t)shared->halves);
    for (int i = 0; i < SEEDS; i++)
        printf("sum %d: %llx\n", i, (unsigned long long)shared->sums[i]);
    getrusage(RUSAGE_CHILDREN, &usage);
    printf("vectors: vlenb %lu, holds %lu, advances %lu, works %lu, signals %lu, inside %lu, "
           "moved %lu, switches %lu, wrong %lu\n", (unsigned long)vlenb(), shared->holds,
           shared->advances, shared->works, shared->signals, shared->inside, shared->moved,
           (unsigned long)usage.ru_nivcsw, shared->wrong);
}

int main(int count, char **arguments) {
    pid_t pids[WORKERS_MOST];
    if (count < 3) return 2;
    uint64_t length_ms = strtoull(arguments[1], NULL, 0), workers = strtoull(arguments[2], NULL, 0);
    struct timespec time;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < SEEDS; i++) shared->sums[i] = work((uint64_t)i);
    clock_gettime(CLOCK_MONOTONIC, &time);
    uint64_t start = (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
    if (workers > WORKERS_MOST) workers = WORKERS_MOST;
    for (uint64_t i = 0; i < workers; i++) {
        pids[i] = fork();
        if (pids[i] == 0) _exit(worker(start + length_ms));
    }
    move_workers(pids, workers);
    report();
    return shared->wrong != 0;
}
