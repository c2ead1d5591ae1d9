/* What the Redis Functions cost: a private redis-server (unix socket, AOF), no-op operations of 200 bytes through ingest,
 * claim, apply and removal, over 16 shards. Prints, for each shape and size of batches, microseconds of Redis CPU and
 * Redis commands per operation, and bytes of Redis per finished operation.
 *
 *   bench_functions [operations [batch [shape]]]    all shapes in batches of 250, 64 and 16 without */
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/functions_load.h"

static void print_head(void)
{
    printf("%-8s %5s", "shape", "batch");
    for (int step = 0; step < STEP_COUNT; step++)
        printf(" | %-12s", functions_step_names[step]);
    printf(" | %-13s | bytes | HSET\n", "together");
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
    printf(" | %6.2f %6.2f | %5.0f | %.2f\n", us, commands, cost.bytes, cost.hset_us);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static const int batches[] = { 250, 64, 16 };
    int operations = argc > 1 ? atoi(argv[1]) : 64000, batch = argc > 2 ? atoi(argv[2]) : 0;
    const struct functions_shape *only = argc > 3 ? functions_shape_find(argv[3]) : NULL;

    if (operations < 1 || batch < 0 || batch > 500 || (argc > 3 && !only)) {
        fprintf(stderr, "bench_functions [operations [batch (1 to 500) [shape]]]\n");
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
