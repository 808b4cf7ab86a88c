// Enough of CUDA to run rank.cu on the host as C++: blocks one after the other, the threads of a
// block as fibers of one thread of the system, warp operations included.
//
// A fiber runs until it waits for others (__syncthreads, a warp operation) or ends; then the next
// one runs. When all fibers wait and none can go on, the kernel has a bug that would hang a device
// and the process is aborted with a message. Several threads of the system may launch at a time.
// What this cannot show: speed, and what a device's memory model allows between waits.
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if !defined(__x86_64__) && !defined(__aarch64__)
#include <ucontext.h>
#endif

#define __global__
#define __device__
#define __shared__ static thread_local

struct alignas(16) ulonglong2 {
    unsigned long long x, y;
};

namespace shim {

const unsigned THREADS = 256, WARPS = THREADS / 32;
const size_t STACK_BYTES = 16384;
typedef void (*Kernel)(unsigned long long, unsigned long long, unsigned long long);

// A place where some fibers wait for each other. `generation` counts the meetings.
struct Meeting {
    unsigned arrived, generation;
};

struct Warp {
    Meeting meeting;
    // By generation's parity, so that the slots of a meeting stay until all lanes have read them.
    unsigned long long slots[2][32];
};

struct Index {
    unsigned x;
};

#if defined(__x86_64__) || defined(__aarch64__)
typedef void *Context;
#else
typedef ucontext_t Context;
#endif

struct Machine {
    ~Machine() { free(stacks); }
    char *stacks;
    Context fibers[THREADS], caller;
    bool ended[THREADS];
    unsigned current, running, idle;
    Meeting block;
    Warp warps[WARPS];
    Kernel kernel;
    unsigned long long arguments[3];
    Index thread, block_index;
};

static thread_local Machine machine;

#if defined(__x86_64__)
// Saves what a call must keep on the old stack and takes it from the new one.
extern "C" void shim_switch(Context *from, Context *to);
__asm__(
    ".text\n.type shim_switch,@function\nshim_switch:\n"
    "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
    "movq %rsp, (%rdi)\nmovq (%rsi), %rsp\n"
    "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nret\n"
    ".size shim_switch,.-shim_switch\n");
static void prepare(Context *context, char *stack, void (*entry)()) {
    void **top = (void **)(stack + STACK_BYTES) - 2;
    top[0] = (void *)entry;  // where `ret` goes, with the stack aligned as after a call
    *context = top - 6;
    memset(*context, 0, 6 * sizeof(void *));
}
#elif defined(__aarch64__)
extern "C" void shim_switch(Context *from, Context *to);
__asm__(
    ".text\n.type shim_switch,%function\nshim_switch:\n"
    "sub sp, sp, #160\n"
    "stp x19, x20, [sp, #0]\nstp x21, x22, [sp, #16]\nstp x23, x24, [sp, #32]\n"
    "stp x25, x26, [sp, #48]\nstp x27, x28, [sp, #64]\nstp x29, x30, [sp, #80]\n"
    "stp d8, d9, [sp, #96]\nstp d10, d11, [sp, #112]\nstp d12, d13, [sp, #128]\n"
    "stp d14, d15, [sp, #144]\n"
    "mov x9, sp\nstr x9, [x0]\nldr x9, [x1]\nmov sp, x9\n"
    "ldp x19, x20, [sp, #0]\nldp x21, x22, [sp, #16]\nldp x23, x24, [sp, #32]\n"
    "ldp x25, x26, [sp, #48]\nldp x27, x28, [sp, #64]\nldp x29, x30, [sp, #80]\n"
    "ldp d8, d9, [sp, #96]\nldp d10, d11, [sp, #112]\nldp d12, d13, [sp, #128]\n"
    "ldp d14, d15, [sp, #144]\n"
    "add sp, sp, #160\nret\n"
    ".size shim_switch,.-shim_switch\n");
static void prepare(Context *context, char *stack, void (*entry)()) {
    void **saved = (void **)(stack + STACK_BYTES - 160);
    memset(saved, 0, 160);
    saved[11] = (void *)entry;  // x30
    *context = saved;
}
#else
static void shim_switch(Context *from, Context *to) { swapcontext(from, to); }
static void prepare(Context *context, char *stack, void (*entry)()) {
    getcontext(context);
    context->uc_stack.ss_sp = stack;
    context->uc_stack.ss_size = STACK_BYTES;
    context->uc_link = 0;
    makecontext(context, entry, 0);
}
#endif

// Lets the next fiber that has not ended run, or the caller when all have.
static void give_way() {
    Machine &m = machine;
    unsigned from = m.current, next = from;
    if (m.running == 0) {
        shim_switch(&m.fibers[from], &m.caller);
        return;
    }
    do {
        next = (next + 1) % THREADS;
    } while (m.ended[next]);
    if (next != from) {
        m.current = next;
        m.thread.x = next;
        shim_switch(&m.fibers[from], &m.fibers[next]);
    }
}

static void meet(Meeting *meeting, unsigned all) {
    Machine &m = machine;
    unsigned generation = meeting->generation;
    m.idle = 0;
    if (++meeting->arrived == all) {
        meeting->arrived = 0;
        meeting->generation++;
        return;
    }
    while (meeting->generation == generation) {
        if (++m.idle > 4 * THREADS) {
            fprintf(stderr, "shim: the threads of a block wait for each other for ever\n");
            abort();
        }
        give_way();
    }
    m.idle = 0;
}

static void fiber() {
    Machine &m = machine;
    m.kernel(m.arguments[0], m.arguments[1], m.arguments[2]);
    m.ended[m.current] = true;
    m.running--;
    m.idle = 0;
    give_way();
}

// One meeting of a warp's lanes; gives the slots they filled.
static unsigned long long *exchange(unsigned mask, unsigned long long mine) {
    Machine &m = machine;
    if (mask != 0xffffffffu) {
        fprintf(stderr, "shim: warp operations are for all lanes\n");
        abort();
    }
    Warp &warp = m.warps[m.current / 32];
    unsigned long long *slots = warp.slots[warp.meeting.generation & 1];
    slots[m.current % 32] = mine;
    meet(&warp.meeting, 32);
    return slots;
}

}  // namespace shim

#define threadIdx (shim::machine.thread)
#define blockIdx (shim::machine.block_index)

static inline void __syncthreads() { shim::meet(&shim::machine.block, shim::THREADS); }

static inline unsigned long long __shfl_xor_sync(unsigned mask, unsigned long long value, int bits) {
    unsigned lane = threadIdx.x % 32;
    return shim::exchange(mask, value)[lane ^ (unsigned)bits];
}

static inline int __any_sync(unsigned mask, int predicate) {
    unsigned long long *slots = shim::exchange(mask, predicate != 0), any = 0;
    for (int lane = 0; lane < 32; lane++) {
        any |= slots[lane];
    }
    return any != 0;
}

static inline unsigned long long atomicAdd(unsigned long long *place, unsigned long long value) {
    unsigned long long before = *place;
    *place += value;
    return before;
}

static inline int __clzll(long long x) { return x == 0 ? 64 : __builtin_clzll(x); }
template <typename T> static inline T __ldg(const T *place) { return *place; }
template <typename T> static inline T __ldcs(const T *place) { return *place; }

// Runs a kernel over `blocks` blocks, to its end.
extern "C" void shim_launch(shim::Kernel kernel, unsigned blocks, const unsigned long long *arguments) {
    shim::Machine &m = shim::machine;
    if (m.stacks == 0) {
        m.stacks = (char *)aligned_alloc(64, shim::STACK_BYTES * shim::THREADS);
        if (m.stacks == 0) {
            abort();
        }
    }
    m.kernel = kernel;
    memcpy(m.arguments, arguments, sizeof m.arguments);
    for (unsigned block = 0; block < blocks; block++) {
        memset(m.ended, 0, sizeof m.ended);
        m.block.arrived = 0;
        for (unsigned warp = 0; warp < shim::WARPS; warp++) {
            m.warps[warp].meeting.arrived = 0;
        }
        for (unsigned n = 0; n < shim::THREADS; n++) {
            shim::prepare(&m.fibers[n], m.stacks + n * shim::STACK_BYTES, shim::fiber);
        }
        m.block_index.x = block;
        m.running = shim::THREADS;
        m.current = m.thread.x = m.idle = 0;
        shim::shim_switch(&m.caller, &m.fibers[0]);
    }
}
