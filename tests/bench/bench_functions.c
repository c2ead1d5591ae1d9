/* What the Redis Functions cost: a private redis-server (unix socket, AOF), no-op operations of 200 bytes through ingest,
 * claim, apply and removal, over 16 shards. Prints, for each shape and size of batches, microseconds of Redis CPU and
 * Redis commands per operation, and bytes of Redis per finished operation.
 *
 *   bench_functions [operations [batch [shape]]]    all shapes in batches of 250, 64 and 16 without
 *   bench_functions --growth [SHAPE [RECORDS [BACKLOG]]]   the same as the records that are kept grow tenfold from 10,000
 *                          to so many (5,000,000), and with so many operations waiting besides (1,000,000)
 *   bench_functions --figures                       what --guard compares with: tests/bench/functions_figures.txt
 *   bench_functions --guard FILE                    exit 1 when an operation costs more than the file says
 *
 * The guard counts commands and bytes, and compares CPU with that of a native HSET on the same server, round by round: so
 * a slow or busy machine says little. What is too dear is measured again, twice, before it is believed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/functions_load.h"

enum { GROWTH_BATCH = 64 };

static void print_head(void)
{
    printf("%-8s %5s", "shape", "batch");
    for (int step = 0; step < STEP_COUNT; step++)
        printf(" | %-12s", functions_step_names[step]);
    printf(" | %-13s | bytes | HSET  ratio\n", "together");
}

static void print_cost(const struct functions_shape *shape, int operations, int batch)
{
    struct functions_cost cost;
    double us = 0, commands = 0;

    functions_load_run(shape, operations, batch, &cost);
    printf("%-8s %5d", shape->name, batch);
    for (int step = 0; step < STEP_COUNT; step++) {
        printf(" | %6.2f %5.2f", cost.steps[step].us, cost.steps[step].commands);
        us += cost.steps[step].us;
        commands += cost.steps[step].commands;
    }
    printf(" | %6.2f %6.2f | %5.0f | %.2f %5.2f\n", us, commands, cost.bytes, cost.hset_us, cost.ratio);
    fflush(stdout);
}

static double growth_first_us, growth_first_ratio;

static void print_point(const struct functions_point *point)
{
    const struct functions_cost *cost = &point->cost;
    double us = 0;

    printf("%9ld %9ld", point->records, point->backlog);
    for (int step = 0; step < STEP_COUNT; step++) {
        printf(" | %6.2f %5.2f", cost->steps[step].us, cost->steps[step].commands);
        us += cost->steps[step].us;
    }
    if (growth_first_us <= 0)
        growth_first_us = us, growth_first_ratio = cost->ratio;
    printf(" | %6.2f %5.2f | %.2f %5.2f %5.2f | %8.1f\n", us, us / growth_first_us, cost->hset_us, cost->ratio,
           cost->ratio / growth_first_ratio, point->arm_ms);
    fflush(stdout);
}

static int growth(int argc, char **argv)
{
    const struct functions_shape *shape = functions_shape_find(argc > 2 ? argv[2] : "named");
    long most = argc > 3 ? atol(argv[3]) : 5000000, backlog = argc > 4 ? atol(argv[4]) : 1000000;
    long records[8];
    int count = 0;

    if (!shape)
        fprintf(stderr, "there is no shape '%s'\n", argv[2]);
    if (!shape || most < functions_load_round(GROWTH_BATCH) || backlog < 0) {
        fprintf(stderr, "bench_functions --growth [SHAPE [RECORDS (a round at least) [BACKLOG]]]\n");
        return 2;
    }
    for (long n = 10000; n < most && count < 7; n *= 10)
        records[count++] = n;
    records[count++] = most;
    puts(
        "us of Redis CPU, and Redis commands, per operation; x: compared with the first line; arm: all shards taken over");
    printf("%9s %9s", "records", "waiting");
    for (int step = 0; step < STEP_COUNT; step++)
        printf(" | %-12s", functions_step_names[step]);
    printf(" | %-12s | %-16s | arm, ms\n", "together    x", "HSET ratio     x");
    functions_growth_run(shape, GROWTH_BATCH, records, count, backlog, print_point);
    return 0;
}

static int bench(int argc, char **argv)
{
    static const int batches[] = { 250, 64, 16 };
    int operations = argc > 1 ? atoi(argv[1]) : 64000, batch = argc > 2 ? atoi(argv[2]) : 0;
    const struct functions_shape *only = argc > 3 ? functions_shape_find(argv[3]) : NULL;

    if (batch < 0 || batch > 500 || operations < functions_load_round(batch ? batch : batches[0]) ||
        (argc > 3 && !only)) {
        fprintf(stderr, "bench_functions [operations (a round at least) [batch (1 to 500) [shape]]]\n"
                        "bench_functions --figures | --guard FILE\n");
        return 2;
    }
    puts("us of Redis CPU, and Redis commands, per operation");
    print_head();
    for (const struct functions_shape *shape = functions_shapes; shape->name; shape++) {
        for (size_t i = 0; (only == NULL || only == shape) && i < sizeof batches / sizeof *batches; i++) {
            if (batch == 0 || i == 0)
                print_cost(shape, operations, batch > 0 ? batch : batches[i]);
        }
    }
    return 0;
}

/* ---- the guard ---- */

enum { GUARD_OPERATIONS = 12288, GUARD_BATCH = 64, GUARD_TRIES = 3 };

/* How much more is let pass. Commands and bytes hardly vary: by how many moments a batch has, and how tables grow. */
static const double MORE_COMMANDS = 1.03, MORE_BYTES = 1.05, MORE_CPU = 1.2;

struct figures {
    double commands, bytes, ratio;
};

static struct figures figures_measure(const struct functions_shape *shape)
{
    struct functions_cost cost;
    struct figures figures = { 0 };

    functions_load_run(shape, GUARD_OPERATIONS, GUARD_BATCH, &cost);
    for (int step = 0; step < STEP_COUNT; step++)
        figures.commands += cost.steps[step].commands;
    figures.bytes = cost.bytes;
    figures.ratio = cost.ratio;
    return figures;
}

static int figures_print(void)
{
    for (const struct functions_shape *shape = functions_shapes; shape->name; shape++) {
        struct figures figures = figures_measure(shape);

        printf("%s commands %.2f bytes %.0f ratio %.2f\n", shape->name, figures.commands, figures.bytes, figures.ratio);
        fflush(stdout);
    }
    return 0;
}

static bool is_within(const struct figures *measured, const struct figures *kept)
{
    return measured->commands <= kept->commands * MORE_COMMANDS && measured->bytes <= kept->bytes * MORE_BYTES &&
           measured->ratio <= kept->ratio * MORE_CPU;
}

static bool shape_guard(const char *name, const struct figures *kept)
{
    const struct functions_shape *shape = functions_shape_find(name);
    bool within = false;

    for (int try = 0; shape && !within && try < GUARD_TRIES; try++) {
        struct figures measured = figures_measure(shape);

        within = is_within(&measured, kept);
        printf("%-8s commands %.2f (kept: %.2f), bytes %.0f (%.0f), HSETs of CPU %.2f (%.2f)%s\n", name,
               measured.commands, kept->commands, measured.bytes, kept->bytes, measured.ratio, kept->ratio,
               within ? "" : ": MORE than is let pass");
        fflush(stdout);
    }
    return within;
}

static int guard(const char *path)
{
    FILE *file = fopen(path, "re");
    struct figures kept;
    char name[32];
    int shapes = 0;
    bool within = true;

    while (file &&
           fscanf(file, "%31s commands %lf bytes %lf ratio %lf", name, &kept.commands, &kept.bytes, &kept.ratio) == 4) {
        within = shape_guard(name, &kept) && within;
        shapes++;
    }
    if (file)
        fclose(file);
    if (shapes == 0)
        fprintf(stderr, "%s: no figures; write them by bench_functions --figures\n", path);
    else if (!within)
        fprintf(stderr,
                "An operation costs more Redis than %s says. If that is meant, write new figures:\n"
                "bench_functions --figures > tests/bench/functions_figures.txt\n",
                path);
    return shapes == 0 || !within;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--figures") == 0)
        return figures_print();
    if (argc == 3 && strcmp(argv[1], "--guard") == 0)
        return guard(argv[2]);
    if (argc >= 2 && strcmp(argv[1], "--growth") == 0)
        return growth(argc, argv);
    return bench(argc, argv);
}
