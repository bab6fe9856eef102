/* Constants that check*.c shares with payload.c, the program that it runs in a guest. */
#ifndef PAYLOAD_H
#define PAYLOAD_H

/* The guest's work: one of these, and an argument. */
enum payload {
    PAYLOAD_ADD, PAYLOAD_RV64, PAYLOAD_CSRS, PAYLOAD_FP, PAYLOAD_PLIC, PAYLOAD_TIMER,
    PAYLOAD_STIMECMP, PAYLOAD_IPI, PAYLOAD_SECOND_HART, PAYLOAD_STORE_LOAD, PAYLOAD_MEMORY,
    PAYLOAD_CHURN, PAYLOAD_DIRTY, PAYLOAD_TOUCH, PAYLOAD_SBI, PAYLOAD_FORWARD, PAYLOAD_EVENTS,
    PAYLOAD_TRAPS, PAYLOAD_LATE,
};

/* How PAYLOAD_LATE waits: in a loop, in a loop with the instruction `pause`, or in wfi. */
enum { LATE_RUNNING, LATE_PAUSING, LATE_ASLEEP, LATE_WAYS };

#define PAYLOAD_CALL 0x08727670UL /* SBI, the range for experiments: KVM forwards it */
enum { CALL_DONE, CALL_STEP }; /* a6; the value in a0. A step's answer comes in a1 */

#define TEST_BASE 0x90000000UL      /* memory of the test's, beside the payload's */
#define TEST_PAGES 64UL
#define EVENT_ADDRESS 0x20000000UL
#define TIMER_ALARMS 5
#define PLIC_SOURCE 5
#define FAILED 0xbad0000000000000UL /* a result; what is added is a line of payload.c */
#define GREETING "hello from a guest\n"

static inline unsigned long pattern(unsigned long seed, unsigned long n)
{
    return (seed + n) * 0x9e3779b97f4a7c15UL;
}

#endif
