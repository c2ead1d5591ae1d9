/* test_simulation [--seeds N] [--steps M] [--first-seed K] [--core C] [--trace FILE]: see README.md. */
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/simulation/checker.h"
#include "tests/simulation/world.h"

struct options {
    int64_t seeds, steps, first_seed, core; /* core: -1: whatever there is */
    const char *trace;
};

static const char *const effect_names[EFFECTS] = {
#define XX(id) #id,
    SIM_EFFECTS(XX)
#undef XX
};

static int usage(void)
{
    fputs("usage: test_simulation [--seeds N] [--steps M] [--first-seed K] [--core C] [--trace FILE]\n", stderr);
    return 64;
}

static bool options_read(struct options *options, int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        int64_t *number = strcmp(argv[i], "--seeds") == 0        ? &options->seeds
                          : strcmp(argv[i], "--steps") == 0      ? &options->steps
                          : strcmp(argv[i], "--first-seed") == 0 ? &options->first_seed
                          : strcmp(argv[i], "--core") == 0       ? &options->core
                                                                 : NULL;

        if (i + 1 == argc)
            return false;
        if (number != NULL)
            *number = strtoll(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--trace") == 0)
            options->trace = argv[i + 1];
        else
            return false;
    }
    return options->seeds > 0 && options->steps > 0;
}

static void trace_write(const struct history *history, const char *path)
{
    FILE *file = fopen(path, "w");
    struct buf line;

    if (file == NULL) {
        perror(path);
        return;
    }
    buf_init(&line, 1024);
    for (size_t i = 0; i < history->count; i++) {
        buf_clear(&line);
        history_render_event(&line, &history->events[i]);
        fputs(line.data, file);
    }
    buf_release(&line);
    fclose(file);
}

/* One seed; answers the history's digest. */
static bool seed_run(const struct options *options, int64_t seed, uint64_t *digest, int64_t effects[EFFECTS])
{
    static struct world world;
    struct verdict_of_checker verdict = { .first = "" };
    bool ran = world_run(&world, (uint64_t)seed, (int)options->steps, seed % 4 != 0);
    bool good = checker_run(&world.history, &verdict) && ran;

    *digest = history_digest(&world.history);
    for (int i = 0; i < EFFECTS; i++)
        effects[i] += world.seen[i];
    if (!good)
        fprintf(stderr,
                "seed %" PRId64 " failed: %s%s%s\n  again: test_simulation --seeds 1 --first-seed %" PRId64
                " --steps %" PRId64 " --trace history.txt\n",
                seed, world.failure, world.failure[0] && verdict.first[0] ? "; " : "", verdict.first, seed,
                options->steps);
    if (options->trace != NULL)
        trace_write(&world.history, options->trace);
    printf("seed %" PRId64 ": %zu operations, %zu events, %d restarts, %d rollbacks, digest %016" PRIx64 "\n", seed,
           world.history.op_count, world.history.count, world.restarts, world.rollbacks, *digest);
    world_end(&world);
    return good;
}

/* A set of runs in which something never happened has proven little about it. */
static int effects_check(const struct options *options, const int64_t effects[EFFECTS])
{
    int missing = 0;

    for (int i = 0; i < EFFECTS; i++) {
        printf("%s%s %" PRId64, i > 0 ? ", " : "", effect_names[i], effects[i]);
        missing += effects[i] == 0;
    }
    putchar('\n');
    if (missing > 0 && options->seeds * options->steps >= 40000) {
        fprintf(stderr, "%d kinds of events never happened\n", missing);
        return 1;
    }
    return 0;
}

/* The server and we take turns, so one core is enough for both, and waking each other there costs half as much. */
static void core_keep(int64_t core)
{
    cpu_set_t allowed, one;

    if (core < 0 || sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return;
    core %= CPU_COUNT(&allowed);
    CPU_ZERO(&one);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &allowed) && core-- == 0)
            CPU_SET(cpu, &one);
    }
    sched_setaffinity(0, sizeof one, &one);
}

int main(int argc, char **argv)
{
    struct options options = { .seeds = 20, .steps = 2000, .first_seed = 1, .core = -1 };
    int64_t effects[EFFECTS] = { 0 };
    uint64_t first = 0, digest = 0;
    int failed = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!options_read(&options, argc, argv))
        return usage();
    core_keep(options.core);
    for (int64_t i = 0; i < options.seeds; i++) {
        failed += !seed_run(&options, options.first_seed + i, &digest, effects);
        if (i == 0)
            first = digest;
    }
    if (!seed_run(&options, options.first_seed, &digest, effects) || digest != first) {
        fprintf(stderr, "seed %" PRId64 " twice: %s\n", options.first_seed, digest != first ? "other bytes" : "failed");
        failed++;
    }
    failed += effects_check(&options, effects);
    return failed == 0 ? 0 : 1;
}
