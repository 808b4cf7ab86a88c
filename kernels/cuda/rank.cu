// The sweeps of a round on a CUDA device. Bits: those of kernels/src/cpu.rs.
//
// A target's in-links stand in one row of 8-byte words (source below, weight above), rows begin at
// multiples of four words and are padded with zeros, which contribute nothing. Rows are binned by
// their length: none; 1 to 4 words, a thread each; 5 to 31, eight lanes; 32 to 4095, a warp; above,
// one block for each chunk of 4096 words and 64-bit atomic sums. Sums are of integers, so their
// order changes no bit.
//
// Sources are read as shares (code and exponent in 4 bytes, as kernels/src/share.rs has them), from
// one of two columns in turn: all sums of a sweep come from the codes before it. The epilogue of a
// row moves its code, writes its next share, and counts: codes changed, the change of the hash of
// all codes, the change of the sum of all values, sums that left 63 bits. `end_sweep` closes the
// sweep; once one changed nothing, everything launched after it does nothing, so that the host
// launches a whole round without asking.
//
// Every kernel takes three 64-bit arguments and is launched with blocks of 256 threads. The same
// source compiles as C++ on the host with shim.h. Deliberately absent: floats, and anything that
// depends on the order of threads.

#ifndef __CUDACC__
#include "shim.h"
#endif

typedef unsigned int u32;
typedef unsigned long long u64;

#define THREADS 256
#define ALL_LANES 0xffffffffu
#define SLOTS 32
#define CHUNK_WORDS 4096

// What a sweep reads and writes; `Round` of kernels/src/gpu/resident.rs has the same layout.
struct Round {
    const ulonglong2 *words;  // rows, two words at a time
    const u64 *rows;          // by particle: first group of four words, length above bit 32
    const u32 *exponents;     // by particle
    u32 *codes;               // by particle
    u32 *shares[2];           // by particle
    const u32 *bins[4];       // particles by length of row: none, 1-4, 5-31, 32-4095
    u64 counts[4];            // their numbers
    const u64 *chunks;        // hub, number of the chunk above bit 32
    const u32 *hubs;          // particles with longer rows
    u64 hub_count;
    u64 *sums;                // by hub, 0 between sweeps
    u64 *counters;            // SLOTS times changed, hash, total, overflown
    u64 *state;               // done, sweeps, hash, total, changed in last, overflown
    u64 *hashes;              // hash of the codes before the round and after each sweep
    u64 base;
    u64 bits;
    u64 particles;
};

enum { DONE, SWEEPS, HASH, TOTAL, CHANGED, OVERFLOWN };

struct Tally {
    u64 changed, hash, total, overflown;
};

// A word of the hash of all codes, which is their sum: kernels/src/gpu/hash.rs.
static __device__ u64 hash_word(u32 particle, u32 code) {
    u64 mixed = (((u64)particle << 32) | code) + 0x9e3779b97f4a7c15ull;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ull;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebull;
    return mixed ^ (mixed >> 31);
}

static __device__ u64 value_of(u32 code, u32 bits) {
    return (u64)(code & ((1u << bits) - 1)) << (code >> bits);
}

static __device__ u32 share_of(u32 code, u32 exponent, u32 bits) {
    u32 mantissa = code & ((1u << bits) - 1), shift = code >> bits;
    u32 down = 63 + exponent - shift - bits;
    return (mantissa << (31 - bits)) | (down < 63 ? down : 63);
}

static __device__ u64 contribution(u64 word, u32 share) {
    return ((word >> 32) * (u64)(share & ~127u)) >> (share & 63u);
}

// The code moves towards x and never past it. x is below 2^63.
static __device__ u32 towards(u32 code, u64 x, u32 bits) {
    int length = 64 - __clzll((long long)x);
    u32 shift = length > (int)bits ? (u32)length - bits : 0;
    u32 mantissa = (u32)(x >> shift);
    u64 rest = x & (((u64)1 << shift) - 1);
    if (x < value_of(code, bits) && rest != 0) {
        mantissa += 1;
        if (mantissa >> bits) {
            mantissa = 1u << (bits - 1);
            shift += 1;
        }
    }
    return (shift << bits) | mantissa;
}

// Two words of a row: read once, so they take no place in L1 and leave L2 first.
static __device__ ulonglong2 two_words(const ulonglong2 *place) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    ulonglong2 words;
    u64 policy;
    asm("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy));
    asm("ld.global.nc.L1::no_allocate.L2::cache_hint.v2.u64 {%0, %1}, [%2], %3;"
        : "=l"(words.x), "=l"(words.y)
        : "l"(place), "l"(policy));
    return words;
#else
    return __ldcs(place);
#endif
}

static __device__ u64 two_contributions(const ulonglong2 *place, const u32 *shares) {
    ulonglong2 words = two_words(place);
    return contribution(words.x, __ldg(shares + (u32)words.x)) +
           contribution(words.y, __ldg(shares + (u32)words.y));
}

// Sum over the lanes whose numbers differ in the bits below `width`, in all of them.
static __device__ u64 lanes_sum(u64 value, int width) {
    for (int step = width / 2; step > 0; step /= 2) {
        value += __shfl_xor_sync(ALL_LANES, value, step);
    }
    return value;
}

// Moves a particle's code towards its sum.
static __device__ void settle(const Round *round, u64 sweep, u32 row, u64 x, Tally *tally) {
    u32 bits = (u32)round->bits;
    u32 before = round->codes[row];
    u32 after = towards(before, x, bits);
    round->shares[(sweep + 1) & 1][row] = share_of(after, round->exponents[row], bits);
    if (after != before) {
        round->codes[row] = after;
        tally->changed += 1;
        tally->hash += hash_word(row, after) - hash_word(row, before);
        tally->total += value_of(after, bits) - value_of(before, bits);
    }
    tally->overflown += x >> 63;
}

// Adds up the tallies of a block's threads. All threads come here.
static __device__ void count(const Round *round, const Tally *tally) {
    __shared__ u64 sums[4];
    u64 mine[4] = {tally->changed, tally->hash, tally->total, tally->overflown};
    if (threadIdx.x < 4) {
        sums[threadIdx.x] = 0;
    }
    __syncthreads();
    if (__any_sync(ALL_LANES, (mine[0] | mine[3]) != 0)) {
        for (int kind = 0; kind < 4; kind++) {
            u64 sum = lanes_sum(mine[kind], 32);
            if (threadIdx.x % 32 == 0) {
                atomicAdd(&sums[kind], sum);
            }
        }
    }
    __syncthreads();
    if (threadIdx.x < 4 && sums[threadIdx.x] != 0) {
        atomicAdd(&round->counters[blockIdx.x % SLOTS * 4 + threadIdx.x], sums[threadIdx.x]);
    }
}

// The counters of all slots, set back to 0; the same in all lanes of the one warp.
static __device__ u64 collect(const Round *round, int kind) {
    u64 *slot = &round->counters[(threadIdx.x % SLOTS) * 4 + kind];
    u64 value = *slot;
    *slot = 0;
    return lanes_sum(value, 32);
}

static __device__ u64 place() { return (u64)blockIdx.x * THREADS + threadIdx.x; }

// Shares, hash and total of the codes a round starts from. A thread for each particle.
extern "C" __global__ void begin_round(u64 argument, u64, u64) {
    const Round *round = (const Round *)argument;
    u64 row = place();
    Tally tally = {0, 0, 0, 0};
    if (row < round->particles) {
        u32 bits = (u32)round->bits, code = round->codes[row];
        round->shares[0][row] = share_of(code, round->exponents[row], bits);
        tally.changed = 1;
        tally.hash = hash_word((u32)row, code);
        tally.total = value_of(code, bits);
    }
    count(round, &tally);
}

// One block; its first warp works.
extern "C" __global__ void end_begin(u64 argument, u64, u64) {
    const Round *round = (const Round *)argument;
    if (threadIdx.x >= 32) {
        return;
    }
    collect(round, 0);
    u64 hash = collect(round, 1), total = collect(round, 2);
    if (threadIdx.x == 0) {
        round->state[DONE] = 0;
        round->state[SWEEPS] = 0;
        round->state[HASH] = hash;
        round->state[TOTAL] = total;
        round->state[CHANGED] = 0;
        round->state[OVERFLOWN] = 0;
        round->hashes[0] = hash;
    }
}

// Particles without in-links. After two sweeps both columns of shares hold what they stay at.
extern "C" __global__ void sweep_none(u64 argument, u64 sweep, u64) {
    const Round *round = (const Round *)argument;
    if (round->state[DONE]) {
        return;
    }
    Tally tally = {0, 0, 0, 0};
    u64 index = place();
    if (index < round->counts[0]) {
        settle(round, sweep, round->bins[0][index], round->base, &tally);
    }
    count(round, &tally);
}

// Rows of one to four words: a thread each, which reads four.
extern "C" __global__ void sweep_tiny(u64 argument, u64 sweep, u64) {
    const Round *round = (const Round *)argument;
    if (round->state[DONE]) {
        return;
    }
    Tally tally = {0, 0, 0, 0};
    u64 index = place();
    if (index < round->counts[1]) {
        u32 row = round->bins[1][index];
        const ulonglong2 *words = round->words + (round->rows[row] & 0xffffffffu) * 2;
        const u32 *shares = round->shares[sweep & 1];
        u64 x = round->base + two_contributions(words, shares);
        x += two_contributions(words + 1, shares);
        settle(round, sweep, row, x, &tally);
    }
    count(round, &tally);
}

// Rows of a bin, `lanes` threads each.
static __device__ void sweep_rows(const Round *round, u64 sweep, int bin, u32 lanes) {
    if (round->state[DONE]) {
        return;
    }
    Tally tally = {0, 0, 0, 0};
    u64 index = place() / lanes;
    u32 lane = threadIdx.x % lanes, row = 0;
    u64 sum = 0;
    if (index < round->counts[bin]) {
        row = round->bins[bin][index];
        u64 range = round->rows[row];
        const ulonglong2 *words = round->words + (range & 0xffffffffu) * 2;
        u32 pairs = ((u32)(range >> 32) + 1) / 2;
        for (u32 pair = lane; pair < pairs; pair += lanes) {
            sum += two_contributions(words + pair, round->shares[sweep & 1]);
        }
    }
    sum = lanes_sum(sum, (int)lanes);
    if (index < round->counts[bin] && lane == 0) {
        settle(round, sweep, row, round->base + sum, &tally);
    }
    count(round, &tally);
}

extern "C" __global__ void sweep_small(u64 argument, u64 sweep, u64) {
    sweep_rows((const Round *)argument, sweep, 2, 8);
}

extern "C" __global__ void sweep_large(u64 argument, u64 sweep, u64) {
    sweep_rows((const Round *)argument, sweep, 3, 32);
}

// A chunk of a hub's row: a block each.
extern "C" __global__ void sweep_chunks(u64 argument, u64 sweep, u64) {
    const Round *round = (const Round *)argument;
    if (round->state[DONE]) {
        return;
    }
    u64 chunk = round->chunks[blockIdx.x];
    u32 hub = (u32)chunk;
    u64 range = round->rows[round->hubs[hub]];
    const ulonglong2 *words = round->words + (range & 0xffffffffu) * 2;
    u64 first = (chunk >> 32) * (CHUNK_WORDS / 2), pairs = ((range >> 32) + 1) / 2;
    u64 end = first + CHUNK_WORDS / 2 < pairs ? first + CHUNK_WORDS / 2 : pairs;
    u64 sum = 0;
    for (u64 pair = first + threadIdx.x; pair < end; pair += THREADS) {
        sum += two_contributions(words + pair, round->shares[sweep & 1]);
    }
    sum = lanes_sum(sum, 32);
    if (threadIdx.x % 32 == 0 && sum != 0) {
        atomicAdd(&round->sums[hub], sum);
    }
}

// A thread for each hub.
extern "C" __global__ void sweep_hubs(u64 argument, u64 sweep, u64) {
    const Round *round = (const Round *)argument;
    if (round->state[DONE]) {
        return;
    }
    Tally tally = {0, 0, 0, 0};
    u64 hub = place();
    if (hub < round->hub_count) {
        u64 x = round->base + round->sums[hub];
        round->sums[hub] = 0;
        settle(round, sweep, round->hubs[hub], x, &tally);
    }
    count(round, &tally);
}

// Closes a sweep. One block; its first warp works.
extern "C" __global__ void end_sweep(u64 argument, u64 sweep, u64) {
    const Round *round = (const Round *)argument;
    if (round->state[DONE] || threadIdx.x >= 32) {
        return;
    }
    u64 changed = collect(round, 0), hash = collect(round, 1), total = collect(round, 2);
    u64 overflown = collect(round, 3);
    if (threadIdx.x == 0) {
        round->state[HASH] += hash;
        round->state[TOTAL] += total;
        round->state[CHANGED] = changed;
        round->state[OVERFLOWN] += overflown;
        round->state[SWEEPS] = sweep + 1;
        round->hashes[sweep + 1] = round->state[HASH];
        round->state[DONE] = changed == 0;
    }
}

// 32-bit elements: places and values in pairs. A thread for each pair; no place comes twice.
extern "C" __global__ void scatter32(u64 target, u64 pairs, u64 pair_count) {
    u64 index = place();
    if (index < pair_count) {
        const u32 *pair = (const u32 *)pairs + index * 2;
        ((u32 *)target)[pair[0]] = pair[1];
    }
}

// 64-bit elements: places and values in pairs.
extern "C" __global__ void scatter64(u64 target, u64 pairs, u64 pair_count) {
    u64 index = place();
    if (index < pair_count) {
        const u64 *pair = (const u64 *)pairs + index * 2;
        ((u64 *)target)[pair[0]] = pair[1];
    }
}

// Rows to new places: first group before, first group after, groups of four words. A warp each.
extern "C" __global__ void move_rows(u64 words, u64 moves, u64 move_count) {
    u64 index = place() / 32;
    if (index < move_count) {
        const u64 *move = (const u64 *)moves + index * 3;
        const ulonglong2 *from = (const ulonglong2 *)words + move[0] * 2;
        ulonglong2 *to = (ulonglong2 *)words + move[1] * 2;
        for (u64 pair = threadIdx.x % 32; pair < move[2] * 2; pair += 32) {
            to[pair] = from[pair];
        }
    }
}

// 32-bit elements from one column to another. A thread each.
extern "C" __global__ void copy32(u64 target, u64 source, u64 length) {
    u64 index = place();
    if (index < length) {
        ((u32 *)target)[index] = ((const u32 *)source)[index];
    }
}
