/* Lines of CLUSTER NODES: whose they are, which slots stand in them. */
#include <string.h>

#include "coordinator/ctl/shards/cluster_line.h"
#include "tests/support/test.h"

#define ID(digit) digit digit digit digit digit digit digit digit digit digit
#define A         ID("aaaa")
#define B         ID("bbbb")
#define C         ID("cccc")

static const char nodes[] = B " 127.0.0.1:30004@31004,host4 slave " A " 0 1426238317239 4 connected\n" A
                              " 127.0.0.1:30002@31002,host2 myself,master - 0 1426238316232 2 connected 5461-10922 3 "
                              "[93-<-" C "] [4000->-" B "] [6000->-" B "]\n" C
                              " ::1:30003@31003 master,fail? - 0 1426238318243 3 connected 93 10923-16383\n"
                              "what is no line\n\n" ID("dddd") " :0@0 master,noaddr - 1 2 0 disconnected";

static void what_lines_say(void **state)
{
    const char *rest = nodes;
    struct cluster_line line;

    (void)state;
    assert_true(cluster_line_next(&rest, &line));
    assert_string_equal(line.id, B);
    assert_string_equal(line.host, "127.0.0.1");
    assert_int_equal(line.port, 30004);
    assert_false(line.primary || line.myself || line.lost);
    assert_int_equal(cluster_line_slot(&line, 0), SLOT_ELSEWHERE);
    assert_true(cluster_line_next(&rest, &line));
    assert_true(line.primary && line.myself);
    assert_true(cluster_line_next(&rest, &line));
    assert_string_equal(line.host, "::1");
    assert_int_equal(line.port, 30003);
    assert_true(line.primary);
    assert_false(line.lost); /* one server thinks so */
    assert_true(cluster_line_next(&rest, &line));
    assert_string_equal(line.host, "");
    assert_true(line.lost);
    assert_false(cluster_line_next(&rest, &line));
}

static void slots_of_a_line(void **state)
{
    struct cluster_line line;

    (void)state;
    assert_true(cluster_line_myself(nodes, &line));
    assert_string_equal(line.id, A);
    assert_int_equal(cluster_line_slot(&line, 5460), SLOT_ELSEWHERE);
    assert_int_equal(cluster_line_slot(&line, 5461), SLOT_HERE);
    assert_int_equal(cluster_line_slot(&line, 10922), SLOT_HERE);
    assert_int_equal(cluster_line_slot(&line, 10923), SLOT_ELSEWHERE);
    assert_int_equal(cluster_line_slot(&line, 3), SLOT_HERE);
    assert_int_equal(cluster_line_slot(&line, 93), SLOT_ARRIVES);
    assert_int_equal(cluster_line_slot(&line, 9), SLOT_ELSEWHERE);
    assert_int_equal(cluster_line_slot(&line, 6000), SLOT_LEAVES);
    assert_int_equal(cluster_line_slot(&line, 4000), SLOT_ELSEWHERE); /* moved away, and the mark is left */
    assert_true(cluster_line_of(nodes, C, &line));
    assert_int_equal(cluster_line_slot(&line, 93), SLOT_HERE);
    assert_int_equal(cluster_line_slot(&line, 16383), SLOT_HERE);
    assert_false(cluster_line_of(nodes, "unknown", &line));
    assert_false(cluster_line_myself("", &line));
}

static void broken_lines(void **state)
{
    static const char *const texts[] = { "",
                                         "\n",
                                         "a",
                                         "a b c d e f g",
                                         A " x y z 1 2 3 connected [",
                                         A " x y z 1 2 3 connected [93",
                                         A " x y z 1 2 3 connected [93-",
                                         A " x y z 1 2 3 connected - -5 x-y" };
    struct cluster_line line;

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(texts); i++) {
        const char *rest = texts[i];

        while (cluster_line_next(&rest, &line))
            assert_int_equal(cluster_line_slot(&line, 93), SLOT_ELSEWHERE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_lines_say),
        cmocka_unit_test(slots_of_a_line),
        cmocka_unit_test(broken_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
