/* Finding where a log and what was applied of it part, on logs that are arrays. */
#include "tests/support/test.h"

#include "coordinator/source/common_point.h"

enum { LOG_MAX = 200 };

static struct {
    int64_t start, end, parts; /* from `parts` on it is another log than the one that was applied */
    int64_t recorded_from;     /* messages below are not known (removed) */
    int reads;
} world;

static struct fingerprint applied(int64_t offset)
{
    return (struct fingerprint){ offset, (uint32_t)(offset * 7 + 1), offset + 1000 };
}

static struct fingerprint logged(int64_t offset)
{
    struct fingerprint message = applied(offset);

    message.crc += offset >= world.parts;
    return message;
}

static enum status read_log(void *arg, int64_t from, int64_t to, bool (*on)(void *on_arg, const struct fingerprint *m),
                            void *on_arg, struct err *err)
{
    (void)arg, (void)err;
    world.reads++;
    for (int64_t offset = from; offset < to && offset < world.end; offset++) {
        struct fingerprint message = logged(offset);

        assert_true(offset >= world.start);
        if (!on(on_arg, &message))
            break;
    }
    return ST_OK;
}

/* Every third message was refused: nothing is recorded of it. */
static enum common_known know(void *arg, const struct fingerprint *message)
{
    (void)arg;
    if (message->offset % 3 == 0 || message->offset < world.recorded_from)
        return COMMON_UNKNOWN;
    return message->crc == applied(message->offset).crc ? COMMON_SAME : COMMON_OTHER;
}

static int64_t find(const int64_t *offsets, size_t count, bool records, struct fingerprint *last)
{
    struct point points[8];
    struct common_log log = { world.start, world.end, read_log, records ? know : NULL, NULL };
    struct err err = ERR_INIT;
    int64_t from;

    for (size_t i = 0; i < count; i++)
        points[i] = (struct point){ .message = applied(offsets[i]) };
    count = points_sort(points, count);
    world.reads = 0;
    assert_int_equal(common_point_find(&log, points, count, &from, last, &err), ST_OK);
    return from;
}

static void setup(int64_t start, int64_t end, int64_t parts)
{
    world.start = start;
    world.end = end;
    world.parts = parts;
    world.recorded_from = 0;
}

static void records_say_where_exactly(void **state)
{
    const int64_t offsets[] = { 150, 40, 10, 90, 40, 60 };
    struct fingerprint last;

    (void)state;
    setup(0, 120, 71);
    assert_int_equal(find(offsets, 6, true, &last), 71);
    assert_int_equal(last.offset, 70);
    assert_int_equal(last.crc, applied(70).crc);
}

static void what_is_not_recorded_behind_the_last_record_is_read_again(void **state)
{
    const int64_t offsets[] = { 60, 150 };
    struct fingerprint last;

    (void)state;
    setup(0, 70, 70); /* cut, and nothing written since; 69 was refused */
    assert_int_equal(find(offsets, 2, true, &last), 69);
}

static void without_records_the_last_point_counts(void **state)
{
    const int64_t offsets[] = { 10, 40, 60, 90 };
    struct fingerprint last;

    (void)state;
    setup(0, 120, 71);
    assert_int_equal(find(offsets, 4, false, &last), 61);
    assert_int_equal(last.offset, 60);
}

static void a_log_made_again_has_nothing_in_common(void **state)
{
    const int64_t offsets[] = { 10, 40, 60 };
    struct fingerprint last;

    (void)state;
    setup(0, 50, 0);
    assert_int_equal(find(offsets, 3, true, &last), 0);
    assert_int_equal(last.offset, -1);
    setup(0, 0, 0); /* nothing is in it */
    assert_int_equal(find(offsets, 3, true, &last), 0);
}

/* What was removed after its end is not run again: points bound what is looked at. */
static void points_hold_when_records_are_gone(void **state)
{
    const int64_t offsets[] = { 20, 69, 140 };
    struct fingerprint last;

    (void)state;
    setup(5, 120, 71);
    world.recorded_from = LOG_MAX;
    assert_int_equal(find(offsets, 3, true, &last), 70);
}

static void points_below_the_logs_start_are_left_out(void **state)
{
    const int64_t offsets[] = { 2, 4, 60 };
    struct fingerprint last;

    (void)state;
    setup(5, 30, 30);
    assert_int_equal(find(offsets, 3, true, &last), 30);
}

static void few_messages_are_read(void **state)
{
    const int64_t offsets[] = { 10, 20, 30, 40, 50, 60, 70, 80 };
    struct fingerprint last;

    (void)state;
    setup(0, 100, 55);
    assert_int_equal(find(offsets, 8, true, &last), 54); /* which was refused: 53 is the last that is known */
    assert_true(world.reads <= 5);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(records_say_where_exactly),
        T(what_is_not_recorded_behind_the_last_record_is_read_again),
        T(without_records_the_last_point_counts),
        T(a_log_made_again_has_nothing_in_common),
        T(points_hold_when_records_are_gone),
        T(points_below_the_logs_start_are_left_out),
        T(few_messages_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
