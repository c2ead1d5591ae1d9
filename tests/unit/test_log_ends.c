/* A host's clock that is set back while somebody waits: deadlines on the wall clock would then lie in the future by as
 * much. Here the wall clock that programs read is ahead of the kernel's, which is the same. */
#include "tests/support/test.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/wait.h"
#include "coordinator/loop/end_poller.h"
#include "coordinator/loop/loop.h"

enum { SET_BACK_S = 30, WAIT_MS = 10000, LIBRARY_SET_BACK_S = 3 };

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);

    if (clock == CLOCK_REALTIME)
        now->tv_sec += SET_BACK_S;
    return result;
}

/* What librdkafka reads; by less, since its own threads wait so long when they are to end. */
static atomic_bool library_set_back;

int timespec_get(struct timespec *now, int base)
{
    syscall(SYS_clock_gettime, CLOCK_REALTIME, now);
    now->tv_sec += library_set_back ? LIBRARY_SET_BACK_S : 0;
    return base;
}

static struct {
    struct kafka_mock *mock;
    struct config config;
    struct shared shared;
    struct loop loop;
} world;

static int setup(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    world.mock = kafka_mock_new(&err);
    config_init(&world.config);
    if (!world.mock || config_set(&world.config, "kafka", "brokers", kafka_mock_brokers(world.mock), &err) != ST_OK)
        return -1;
    world.shared.config = &world.config;
    log_ends_init(&world.shared.ends, 2, 4);
    health_init(&world.shared.health, 2, 4);
    world.loop = (struct loop){ .shared = &world.shared, .name = "ends-1" };
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    log_ends_release(&world.shared.ends);
    health_release(&world.shared.health);
    config_release(&world.config);
    kafka_mock_free(world.mock);
    return 0;
}

static void *run(void *arg)
{
    end_poller_run(arg);
    return NULL;
}

/* Until the loop has said once more that it lives. */
static void expect_a_beat(void)
{
    int64_t end_ms = clock_boot_ms() + WAIT_MS, seen_ms = atomic_load(&world.loop.beat_ms);

    while (atomic_load(&world.loop.beat_ms) == seen_ms) {
        if (clock_boot_ms() > end_ms)
            fail_msg("the loop stands still");
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    }
}

static void the_asking_thread_goes_on_turning(void **state)
{
    (void)state;
    assert_int_equal(pthread_create(&world.loop.thread, NULL, run, &world.loop), 0);
    for (int i = 0; i < 5; i++)
        expect_a_beat();
    atomic_store(&world.shared.stop, true);
    assert_int_equal(pthread_join(world.loop.thread, NULL), 0);
}

static void a_wait_for_a_condition_ends_in_time(void **state)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t never;
    int64_t begin_ms = clock_boot_ms();

    (void)state;
    wait_cond_init(&never);
    pthread_mutex_lock(&lock);
    assert_false(wait_cond(&never, &lock, 50));
    pthread_mutex_unlock(&lock);
    pthread_cond_destroy(&never);
    assert_in_range(clock_boot_ms() - begin_ms, 50, WAIT_MS);
}

static void a_consumer_waits_no_longer_than_it_is_told(void **state)
{
    struct kafka_settings settings = { .brokers = "127.0.0.1:1", .client_id = "test" };
    struct err err = ERR_INIT;
    struct kafka_consumer *consumer = kafka_consumer_new(&settings, "g", NULL, &err);
    struct kafka_message message;
    int64_t begin_ms;

    (void)state;
    assert_non_null(consumer);
    library_set_back = true;
    begin_ms = clock_boot_ms();
    for (int i = 0; i < 3; i++)
        assert_false(kafka_consumer_poll(consumer, 50, &message));
    assert_in_range(clock_boot_ms() - begin_ms, 150, LIBRARY_SET_BACK_S * 1000);
    library_set_back = false;
    kafka_consumer_free(consumer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_asking_thread_goes_on_turning),
        cmocka_unit_test(a_consumer_waits_no_longer_than_it_is_told),
        cmocka_unit_test(a_wait_for_a_condition_ends_in_time),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
