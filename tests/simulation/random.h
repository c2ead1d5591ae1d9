/* The simulation's only source of chance: splitmix64, so that a seed is a run. */
#ifndef TESTS_SIMULATION_RANDOM_H
#define TESTS_SIMULATION_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

static inline uint64_t random_next(struct random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* 0 .. below - 1 */
static inline int random_below(struct random *random, int below)
{
    return (int)(random_next(random) % (uint64_t)below);
}

static inline int random_between(struct random *random, int least, int greatest)
{
    return least + random_below(random, greatest - least + 1);
}

/* True in so many of 10,000 cases. */
static inline bool random_chance(struct random *random, int of_10000)
{
    return random_below(random, 10000) < of_10000;
}

#endif
