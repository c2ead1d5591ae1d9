/* Options: defaults, precedence, Types, files, errors, the printed file. */
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/config/config.h"
#include "common/config/options.h"

static int begin(void **state)
{
    struct config *config = malloc(sizeof *config);

    config_init(config);
    *state = config;
    return 0;
}

static int end(void **state)
{
    config_release(*state);
    free(*state);
    return 0;
}

/* Writes text to a file of this process and reads it as configuration. */
static enum status read_text(struct config *config, const char *text, struct err *err)
{
    char path[] = "/tmp/bgop-test-config-XXXXXX";
    int fd = mkstemp(path);
    enum status st;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    st = config_read_file(config, path, err);
    if (st != ST_OK) { /* so that expectations need not know the path */
        assert_memory_equal(err->text, path, strlen(path));
        memmove(err->text, err->text + strlen(path), strlen(err->text) - strlen(path) + 1);
    }
    unlink(path);
    return st;
}

static char *printed(const struct config *config, void (*print)(const struct config *config, FILE *to))
{
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);

    print(config, to);
    fclose(to);
    return text;
}

/* ---- defaults ---- */

static void defaults_are_those_of_the_record(void **state)
{
    struct config *config = *state;
    const struct type_config *object = config_type(config, "ExternalObject");
    struct err err = ERR_INIT;

    assert_string_equal(config->prefix, "bgop");
    assert_int_equal(config->shards, 16);
    assert_int_equal(config->payload_max_bytes, 262144);
    assert_string_equal(config->brokers, "127.0.0.1:9092");
    assert_string_equal(config->redis_url, "redis://127.0.0.1:6379");
    assert_int_equal(config->type_count, record_type_count);
    for (int i = 0; i < record_type_count; i++) {
        const struct type_config *type = config_type(config, record_types[i].name);

        assert_int_equal(type->retry_backoff_ms, record_types[i].retry_backoff_ms);
        assert_int_equal(type->retry_limit, record_types[i].retry_limit);
        assert_int_equal(type->timeout_ms, record_types[i].timeout_ms);
        assert_int_equal(type->merge_max, record_types[i].merge_max);
        assert_int_equal(type->reserved, record_types[i].reserved);
        assert_false(type->declared);
        assert_false(type->served);
    }
    assert_int_equal(object->processes_max, 1000); /* a fork storm ends unasked */
    assert_int_equal(object->output_max_mb, 256);
    assert_int_equal(object->memory_max_mb, 0);
    assert_int_equal(object->merge_max, 100);
    assert_int_equal(object->retention_s, 86400);
    assert_int_equal(object->retention_error_s, 604800);
    assert_string_equal(object->on_sequence_failure, "hold");
    assert_string_equal(object->handler, "");
    assert_string_equal(object->method, "POST");
    assert_int_equal(config_check(config, &err), ST_OK);
}

/* ---- files ---- */

static void a_file_goes_over_the_defaults(void **state)
{
    struct config *config = *state;
    struct err err = ERR_INIT;

    assert_int_equal(read_text(config,
                               "\xef\xbb\xbf# a file\r\n[queue]\nprefix=x ; why\n  shards = 4\n; no\n\n[worker]\n"
                               "types =\n[kafka]\nsecurity.protocol = plaintext\nbrokers = a:1,b:2",
                               &err),
                     ST_OK);
    assert_string_equal(config->prefix, "x");
    assert_int_equal(config->shards, 4);
    assert_string_equal(config->worker_types, "");
    assert_string_equal(config->brokers, "a:1,b:2");
    assert_int_equal(config->property_count, 1);
    assert_string_equal(config->properties[0].name, "security.protocol");
    assert_string_equal(config->properties[0].value, "plaintext");
    assert_int_equal(config_kafka(config, "me").property_count, 1);
    assert_string_equal(config_kafka(config, "me").brokers, "a:1,b:2");
}

static void lines_may_be_long_and_quotes_hold_semicolons(void **state)
{
    struct config *config = *state;
    struct err err = ERR_INIT;
    char text[6000];
    const struct type_config *type;

    snprintf(text, sizeof text,
             "[type WebCart]\nhandler = exec ; noop | exec\ncommand = sh -c \"a ; b\" %0*d  ; c\n"
             "headers = X: it's\t; not quoted\n",
             5000, 7);
    assert_int_equal(read_text(config, text, &err), ST_OK);
    type = config_type(config, "WebCart");
    assert_string_equal(type->handler, "exec");
    assert_int_equal(strlen(type->command), strlen("sh -c \"a ; b\" ") + 5000);
    assert_memory_equal(type->command, "sh -c \"a ; b\" 000", 17);
    assert_string_equal(type->headers, "X: it's");
}

#define SEMICOLON                                                                                                      \
    "a ; behind a blank: in quotes it belongs to the value; to begin a comment, it stands behind two blanks, or on a " \
    "line of its own"

static void errors_name_line_option_and_the_nearest(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        { "[queue]\nprefx = a\n", ":2: [queue] prefx: no such option (did you mean prefix?)" },
        { "[queue]\n\nlevel = info\n", ":3: [queue] level: no such option here; it belongs to [log]" },
        { "[quue]\n", ":1: [quue]: no such section (did you mean [queue]?)" },
        { "[queue\nprefix = a\n", ":1: expected [section]" },
        { "[queue] x\n", ":1: expected [section]" },
        { "prefix = a\n", ":1: an option before the first [section]" },
        { "[queue]\nprefix\n", ":2: expected name = value: prefix" },
        { "[queue]\n= a\n", ":2: expected name = value: =" },
        { "[type WebCart]\ncommand = sh -c a ; b\n", ":2: [type WebCart] command: " SEMICOLON },
        { "[types]\nheaders = X: it's ; b\n", ":2: [types] headers: " SEMICOLON },
        { "[type WebCart]\nhandler = http\nurl = http://h/a ;b\n", ":3: [type WebCart] url: " SEMICOLON },
        { "[kafka]\nsasl.password = a ; b\n", ":2: [kafka] sasl.password: " SEMICOLON },
        { "\xff\xfe[\n", ":1: the file is UTF-16: save it as UTF-8" },
        { "\xfe\xff[\n", ":1: the file is UTF-16: save it as UTF-8" },
        { "[queue]\nshards = many\n", ":2: [queue] shards: many is not a whole number from 1 to 3844" },
        { "[queue]\nshards = 0\n", ":2: [queue] shards: 0 is not a whole number from 1 to 3844" },
        { "[queue]\nshards = 3845\n", ":2: [queue] shards: 3845 is not a whole number from 1 to 3844" },
        { "[queue]\nshards =\n", ":2: [queue] shards: nothing is not a whole number from 1 to 3844" },
        { "[queue]\nshards = 4\nprefix = a\nshards = 4\n", ":4: [queue] shards stands here twice" },
        { "[log]\nlevel = loud\n", ":2: [log] level: loud is none of: error warning info debug" },
        { "[type XClean]\nhandler = python\n", ":2: [type XClean] handler: python is none of: - noop exec http" },
        { "[kafka]\nsecurty.protocol = ssl\n", ":2: [kafka] securty.protocol: librdkafka knows no property "
                                               "securty.protocol (did you mean security.protocol?)" },
        { "[kafka]\nacks = 1\n", ":2: [kafka] acks: acks cannot be set: the log must keep what it acknowledged" },
        { "[type ExternalConnectivityPoller]\nhandler = noop\n",
          ":1: [type ExternalConnectivityPoller]: Type ExternalConnectivityPoller is reserved" },
        { "[type status]\n", ":1: [type status]: no Type may be called status: a topic of the queue has that name" },
        { "[type a b]\n", ":1: [type a b]: a Type's name has 1 to 100 letters, digits, _ . or -" },
        { "[type ]\n", ":1: [type]: no such section (did you mean [types]?)" },
        { "[type WebCart]\nretry_limits = 3\n",
          ":2: [type WebCart] retry_limits: no such option (did you mean retry_limit?)" },
        { "[redis]\ntimeout_ms = 60000\n", ":2: [redis] timeout_ms: 60000 is not a whole number from 100 to 10000" },
        { "[types]\nretry_limit = -1\n", ":2: [types] retry_limit: -1 is not a whole number from 0 to 999999999" },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        struct config config;
        struct err err = ERR_INIT;

        config_init(&config);
        assert_int_equal(read_text(&config, cases[i].text, &err), ST_INVALID);
        assert_string_equal(err.text, cases[i].error);
        config_release(&config);
    }
}

static void a_missing_file_and_a_binary_one_are_refused(void **state)
{
    struct config *config = *state;
    struct err err = ERR_INIT;

    assert_int_equal(config_read_file(config, "/nonexistent/file.ini", &err), ST_INVALID);
    assert_string_equal(err.text, "/nonexistent/file.ini: No such file or directory");
    assert_int_equal(config_read_file(config, "/tmp", &err), ST_INVALID);
    assert_int_equal(config_read_file(config, "/proc/self/cmdline", &err), ST_INVALID);
    assert_non_null(strstr(err.text, "NUL byte"));
}

/* ---- Types ---- */

static void types_takes_second_place_wherever_it_stands(void **state)
{
    struct config *config = *state;
    struct err err = ERR_INIT;

    assert_int_equal(read_text(config,
                               "[type WebCart]\nretry_limit = 7\n[types]\nretry_limit = 9\nhandler = noop\n"
                               "[type Mine]\ntimeout_ms = 5\n[type Sweeper]\nhandler =\n",
                               &err),
                     ST_OK);
    assert_int_equal(config_type(config, "WebCart")->retry_limit, 7);
    assert_int_equal(config_type(config, "XClean")->retry_limit, 9);
    assert_int_equal(config_type(config, "XClean")->timeout_ms, 60000); /* the record's own */
    assert_string_equal(config_type(config, "XClean")->handler, "noop");
    assert_true(config_type(config, "XClean")->served);
    assert_int_equal(config_type(config, "Mine")->retry_limit, 9);
    assert_int_equal(config_type(config, "Mine")->timeout_ms, 5);
    assert_int_equal(config_type(config, "Mine")->retry_backoff_ms, 1000);
    assert_true(config_type(config, "Mine")->declared);
    assert_true(config_type(config, "Mine")->served);
    assert_false(config_type(config, "Sweeper")->served);
    assert_false(config_type(config, "ExternalConnectivityPoller")->served);
}

static void a_section_alone_declares_a_type(void **state)
{
    struct config *config = *state;
    struct err err = ERR_INIT;
    struct type_lookup lookup;
    int reserved;

    assert_int_equal(read_text(config, "[type Report.daily-2]\n", &err), ST_OK);
    lookup = config_type_lookup(config);
    assert_string_equal(lookup.find(lookup.arg, "Report.daily-2", &reserved), "Report.daily-2");
    assert_false(reserved);
    assert_string_equal(lookup.find(lookup.arg, "ExternalConnectivityPoller", &reserved), "ExternalConnectivityPoller");
    assert_true(reserved);
    assert_null(lookup.find(lookup.arg, "webcart", &reserved));
    assert_null(config_type(config, "Other"));
}

/* ---- across options ---- */

static void what_options_say_together_is_checked(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        { "[queue]\nprefix = a b\n", "[queue] prefix: a b: expected letters, digits, . _ or -" },
        { "[redis]\nurl = localhost\n",
          "[redis] url: Redis address: expected redis://[user:password@]host:port[/db] (by TLS rediss://), of a cluster several "
          "host:port with commas, by Sentinels redis+sentinel://[user:password@]host:port[,host:port...]/NAME[/db], or "
          "unix://[user:password@]/path[?db=n]" },
        { "[kafka]\nbrokers =\n", "[kafka] brokers: expected host:port,..." },
        { "[kafka]\nmax.poll.interval.ms = 20000\n",
          "[kafka]: max.poll.interval.ms = 20000: must be at least 60000: a batch may keep a loop busy for half a minute, "
          "and it would be thrown out of its group" },
        { "[kafka]\nauto.commit.interval.ms = 0\n",
          "[kafka]: auto.commit.interval.ms = 0: must be at least 1: what is not committed is read again after every "
          "restart (0 would commit nothing)" },
        { "[kafka]\nlinger.ms = 60000\n",
          "[kafka]: linger.ms = 60000: must be at most 5000: what must be in the log before a loop goes on is waited for "
          "10 s" },
        { "[kafka]\nqueue.buffering.max.ms = 60000\n",
          "[kafka]: linger.ms = 60000: must be at most 5000: what must be in the log before a loop goes on is waited for "
          "10 s" },
        { "[kafka]\nheartbeat.interval.ms = 10000\n",
          "[kafka]: heartbeat.interval.ms = 10000: must be at most half of session.timeout.ms = 10000 (a third is usual): "
          "the group would take its members for dead" },
        { "[kafka]\nsession.timeout.ms = 400000\n",
          "[kafka]: Kafka configuration: `max.poll.interval.ms`must be >= `session.timeout.ms`" },
        { "[kafka]\nmax.in.flight.requests.per.connection = 50\n",
          "[kafka]: Kafka configuration: `max.in.flight` must be set <= 5 when `enable.idempotence` is true" },
        { "[kafka]\nsession.timeout.ms = 6000\nheartbeat.interval.ms = 1000\n", NULL },
        { "[worker]\nlisten = 8080\n", "[worker] listen: 8080: expected address:port" },
        { "[http]\nlisten = :8080\n", "[http] listen: :8080: expected address:port" },
        { "[http]\nlisten = 127.0.0.1:99999\n", "[http] listen: 127.0.0.1:99999: expected address:port" },
        { "[http]\npage_url = queue.example.org\n",
          "[http] page_url: queue.example.org: expected http://... or https://..." },
        { "[http]\nlisten = [::1]:8080\ntoken_file = /etc/x\npage_url = https://queue.example.org/\n", NULL },
        { "[traces]\nurl = hunter2@queue.example.org\n", "[traces] url: expected http://... or https://..." },
        { "[traces]\nservice_name =\n", "[traces] service_name: a name is expected, such as bgop-worker" },
        { "[worker]\ntypes = WebCart\n", "[worker] types: Type WebCart has no handler: write one in [type WebCart]" },
        { "[worker]\ntypes = Nope\n", "[worker] types: Nope is no Type; new ones need a section [type Nope]" },
        { "[types]\nhandler = noop\n[worker]\ntypes = XClean, ExternalConnectivityPoller\n",
          "[worker] types: Type ExternalConnectivityPoller is reserved" },
        { "[type XClean]\nhandler = exec\n", "[type XClean] handler = exec needs command = PROGRAM [ARGUMENT ...]" },
        { "[type XClean]\nhandler = http\nurl = ftp://x\n",
          "[type XClean] handler = http needs url = http://... or https://..." },
        { "[types]\nhandler = noop\n[worker]\ntypes = XClean WebCart\n", NULL },
        { "[type XClean]\nhandler = http\nurl = http://127.0.0.1:1/\n", NULL },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        struct config config;
        struct err err = ERR_INIT;

        config_init(&config);
        assert_int_equal(read_text(&config, cases[i].text, &err), ST_OK);
        assert_int_equal(config_check(&config, &err), cases[i].error ? ST_INVALID : ST_OK);
        assert_string_equal(err.text, cases[i].error ? cases[i].error : "");
        config_release(&config);
    }
}

static void the_environment_goes_over_the_file(void **state)
{
    struct config *config = *state;
    struct err err = ERR_INIT;

    setenv("BGOP_KAFKA", "k:1", 1);
    setenv("BGOP_REDIS", "unix:///r", 1);
    setenv("BGOP_LOG_LEVEL", "debug", 1);
    setenv("BGOP_LOG_FORMAT", "", 1); /* empty: as if it were not there */
    assert_int_equal(read_text(config, "[kafka]\nbrokers = a:1\n[log]\nformat = json\n", &err), ST_OK);
    assert_int_equal(config_read_environment(config, &err), ST_OK);
    assert_string_equal(config->brokers, "k:1");
    assert_string_equal(config->redis_url, "unix:///r");
    assert_string_equal(config->log_level, "debug");
    assert_string_equal(config->log_format, "json");
    setenv("BGOP_LOG_LEVEL", "loud", 1);
    assert_int_equal(config_read_environment(config, &err), ST_INVALID);
    assert_string_equal(err.text,
                        "environment variable BGOP_LOG_LEVEL: [log] level: loud is none of: error warning info debug");
    unsetenv("BGOP_KAFKA");
    unsetenv("BGOP_REDIS");
    unsetenv("BGOP_LOG_LEVEL");
    unsetenv("BGOP_LOG_FORMAT");
}

static void values_that_no_line_can_hold_are_refused(void **state)
{
    static const char *const values[] = { " a", "a ", "a\nb", "a ; b", "; b", "a\tb\t", "a\x01" };
    struct config *config = *state;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < TEST_COUNT(values); i++)
        assert_int_equal(config_set(config, "type WebCart", "headers", values[i], &err), ST_INVALID);
    assert_int_equal(config_set(config, "type WebCart", "headers", "a;b 'c ; d'", &err), ST_OK);
}

static void topics_carry_the_prefix(void **state)
{
    struct config *config = *state;
    char topic[64];

    assert_string_equal(config_topic(config, "WebCart", topic, sizeof topic), "bgop.WebCart");
}

/* ---- printing ---- */

static void what_is_printed_can_be_read_again(void **state)
{
    struct config *config = *state;
    struct config again;
    struct err err = ERR_INIT;
    char *first, *second;

    assert_int_equal(
        read_text(config,
                  "[queue]\nprefix = p\n[redis]\nurl = redis://u:p;w@h:1/2\n[kafka]\nlinger.ms = 3\n"
                  "sasl.password = a'b\n[types]\nhandler = noop\nretry_limit = 2\n[type Mine]\nhandler = exec\n"
                  "command = sh -c 'x ; y' \\\"\n[type XClean]\nhandler =\n",
                  &err),
        ST_OK);
    first = printed(config, config_write);
    config_init(&again);
    if (read_text(&again, first, &err) != ST_OK)
        fail_msg("%s", err.text);
    second = printed(&again, config_write);
    assert_string_equal(first, second);
    assert_string_equal(config_type(&again, "Mine")->command, "sh -c 'x ; y' \\\"");
    assert_string_equal(again.redis_url, "redis://u:p;w@h:1/2");
    assert_int_equal(again.property_count, 2);
    assert_false(config_type(&again, "XClean")->served);
    assert_int_equal(config_type(&again, "WebCart")->retry_limit, 2);
    config_release(&again);
    free(first);
    free(second);
}

/* Every option, with values as odd as it takes, is printed as it is read. */
static void odd_values_are_printed_as_they_are_read(void **state)
{
    static const char *const odd[] = {
        "a;b",
        "a ';' b",
        "\"a ; b\"",
        "'a ; b'",
        "it's",
        "a # b",
        "#a",
        "= a = b",
        "[a]",
        "a\tb",
        "\xc3\xa9 \xe2\x82\xac",
        "\xff\xfe",
        "%s %n %%",
        "\\",
        "a\\",
        "\"",
        "'",
        "\"\\\"\" ; '\"",
        "\xef\xbb\xbf"
        "a",
        "a ;",
        "a ; b",
        ";",
        " a",
        "a ",
    };
    struct config *config = *state, again;
    struct err err = ERR_INIT;
    int taken = 0;

    for (size_t i = 0; i < TEST_COUNT(odd); i++) {
        char *text, *second;

        for (size_t o = 0; o < option_count; o++)
            taken += config_set(config, option_is_of_types(&options[o]) ? "type Mine" : options[o].section,
                                options[o].name, odd[i], &err) == ST_OK;
        taken += config_set(config, "kafka", "sasl.password", odd[i], &err) == ST_OK;
        text = printed(config, config_write);
        config_init(&again);
        if (read_text(&again, text, &err) != ST_OK)
            fail_msg("%s: %s", odd[i], err.text);
        second = printed(&again, config_write);
        assert_string_equal(text, second);
        assert_string_equal(config_type(&again, "Mine")->command, config_type(config, "Mine")->command);
        assert_string_equal(again.redis_password_file, config->redis_password_file);
        assert_string_equal(again.properties[0].value, config->properties[0].value);
        config_release(&again);
        free(text);
        free(second);
    }
    assert_true(taken > 100);
}

/* ---- the login to Redis ---- */

static enum status check_with_password_of(const char *section, struct config *config, const void *text, size_t size,
                                          struct err *err)
{
    char path[] = "/tmp/bgop-password-XXXXXX";
    int fd = mkstemp(path);
    enum status st;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, size), (ssize_t)size);
    close(fd);
    assert_int_equal(config_set(config, section, "password_file", path, err), ST_OK);
    st = config_check(config, err);
    unlink(path);
    return st;
}

static enum status check_with_password(struct config *config, const void *text, size_t size, struct err *err)
{
    return check_with_password_of("redis", config, text, size, err);
}

static void a_password_comes_from_its_file(void **state)
{
    static const struct {
        const char *url, *user, *file, *expected;
    } cases[] = {
        { "redis://h:1/2", "", "s@cret:/ \n", "redis://:s%40cret%3A%2F%20@h:1/2" },
        { "redis://h:1/2", "me", "p\r\n", "redis://me:p@h:1/2" },
        { "redis://you:@h", "me", "p", "redis://you:p@h" },
        { "redis://you@h", "me", "p", "redis://you:p@h" },
        { "redis://you:own@h", "me", "p", "redis://you:own@h" },
        { "unix:///run/r.sock", "me", "p", "unix://me:p@/run/r.sock" },
        { "unix:///run/r.sock?db=3", "", "\xef\xbb\xbfp\n", "unix://:p@/run/r.sock?db=3" },
    };
    struct config *config = *state;

    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        struct err err = ERR_INIT;
        char *text = NULL;
        size_t size;
        FILE *to;

        assert_int_equal(config_set(config, "redis", "url", cases[i].url, &err), ST_OK);
        assert_int_equal(config_set(config, "redis", "user", cases[i].user, &err), ST_OK);
        if (check_with_password(config, cases[i].file, strlen(cases[i].file), &err) != ST_OK)
            fail_msg("%s: %s", cases[i].url, err.text);
        assert_string_equal(config->redis_url, cases[i].expected);
        to = open_memstream(&text, &size);
        config_print(config, to);
        fclose(to);
        assert_null(strstr(text, "cret"));
        assert_null(strstr(text, ":p@"));
        assert_null(strstr(text, ":own@"));
        free(text);
    }
}

static void a_password_file_that_is_none_is_refused(void **state)
{
    struct config *config = *state;
    struct err err = ERR_INIT;
    char big[600];

    memset(big, 'x', sizeof big);
    assert_int_equal(check_with_password(config, "", 0, &err), ST_INVALID);
    assert_non_null(strstr(err.text, "[redis] password_file: /tmp/bgop-password-"));
    assert_int_equal(check_with_password(config, "\n", 1, &err), ST_INVALID);
    assert_int_equal(check_with_password(config, "hush\nhush\n", 10, &err), ST_INVALID);
    assert_null(strstr(err.text, "hush"));
    assert_int_equal(check_with_password(config, "a\0b", 3, &err), ST_INVALID);
    assert_int_equal(check_with_password(config, big, sizeof big, &err), ST_INVALID);
    assert_int_equal(config_set(config, "redis", "password_file", "/nowhere/password", &err), ST_OK);
    assert_int_equal(config_check(config, &err), ST_INVALID);
    assert_non_null(strstr(err.text, "/nowhere/password: No such file"));
    assert_int_equal(config_set(config, "redis", "password_file", "/tmp", &err), ST_OK);
    assert_int_equal(config_check(config, &err), ST_INVALID);
    assert_int_equal(config_set(config, "redis", "password_file", "", &err), ST_OK);
    assert_int_equal(config_set(config, "redis", "user", "me", &err), ST_OK);
    assert_int_equal(config_check(config, &err), ST_INVALID);
    assert_non_null(strstr(err.text, "[redis] user: needs a password"));
}

static void sentinels_have_a_password_file_of_their_own(void **state)
{
    char path[] = "/tmp/bgop-password-XXXXXX";
    struct config *config = *state;
    struct err err = ERR_INIT;
    int fd = mkstemp(path);
    char *text;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "s@cret\n", 7), 7);
    close(fd);
    assert_int_equal(config_set(config, "redis", "sentinel_password_file", path, &err), ST_OK);
    assert_int_equal(config_check(config, &err), ST_INVALID);
    assert_non_null(strstr(err.text, "[redis] sentinel_password_file: is for Sentinels"));
    assert_int_equal(config_set(config, "redis", "url", "redis+sentinel://u:own@a,b/m", &err), ST_OK);
    assert_int_equal(config_set(config, "redis", "sentinel_user", "w", &err), ST_OK);
    assert_int_equal(config_check(config, &err), ST_OK);
    assert_string_equal(config->redis_url, "redis+sentinel://u:own@a,b/m?sentinel_user=w&sentinel_password=s%40cret");
    text = printed(config, config_print);
    assert_null(strstr(text, "cret"));
    assert_null(strstr(text, ":own@"));
    free(text);
    unlink(path);
    assert_int_equal(config_set(config, "redis", "url", "redis+sentinel://a/m", &err), ST_OK);
    assert_int_equal(config_check(config, &err), ST_INVALID);
    assert_non_null(strstr(err.text, "[redis] sentinel_password_file: /tmp/bgop-password-"));
    assert_int_equal(config_set(config, "redis", "sentinel_password_file", "", &err), ST_OK);
    assert_int_equal(config_check(config, &err), ST_INVALID);
    assert_non_null(strstr(err.text, "[redis] sentinel_user: needs a password"));
}

static const char *property(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->property_count; i++) {
        if (strcmp(config->properties[i].name, name) == 0)
            return config->properties[i].value;
    }
    return NULL;
}

static void the_password_of_kafka_comes_from_its_file(void **state)
{
    struct config *config = *state;
    struct err err = ERR_INIT;
    char *text;

    assert_int_equal(check_with_password_of("kafka", config, "a\nb", 3, &err), ST_INVALID);
    assert_non_null(strstr(err.text, "[kafka] password_file: /tmp/bgop-password-"));
    assert_int_equal(check_with_password_of("kafka", config, "hush ;x", 7, &err), ST_INVALID);
    assert_null(strstr(err.text, "hush"));
    assert_int_equal(check_with_password_of("kafka", config, "s@cret\n", 7, &err), ST_OK);
    assert_string_equal(property(config, "sasl.password"), "s@cret");
    text = printed(config, config_print);
    assert_null(strstr(text, "s@cret"));
    free(text);
    assert_int_equal(config_set(config, "kafka", "sasl.password", "own", &err), ST_OK);
    assert_int_equal(check_with_password_of("kafka", config, "s@cret\n", 7, &err), ST_OK);
    assert_string_equal(property(config, "sasl.password"), "own");
}

static void files_of_tls_go_into_the_url(void **state)
{
    struct config *config = *state;
    struct err err = ERR_INIT;

    assert_int_equal(config_set(config, "redis", "tls_ca_file", "/nowhere/c a.pem", &err), ST_OK);
    assert_int_equal(config_check(config, &err), ST_INVALID);
    assert_non_null(strstr(err.text, "[redis] tls_ca_file: is for TLS, and the url does not begin with rediss://"));
    assert_int_equal(config_set(config, "redis", "url", "rediss://me:p%40ss@h:1/2", &err), ST_OK);
    assert_int_equal(config_check(config, &err), ST_INVALID);
    assert_non_null(strstr(err.text, "[redis]: tls_ca_file: /nowhere/c a.pem: No such file"));
    assert_string_equal(config->redis_url, "rediss://me:p%40ss@h:1/2?tls_ca_file=%2Fnowhere%2Fc%20a.pem");
    assert_int_equal(config_set(config, "redis", "url", "rediss://h?tls_ca_file=/dev/null", &err), ST_OK);
    assert_int_equal(config_check(config, &err), ST_INVALID);
    assert_non_null(strstr(err.text, "tls_ca_file: /dev/null: "));
    assert_int_equal(config_set(config, "redis", "tls_ca_file", "", &err), ST_OK);
    assert_int_equal(config_set(config, "redis", "tls_key_file", "/key", &err), ST_OK);
    assert_int_equal(config_set(config, "redis", "url", "rediss://h", &err), ST_OK);
    assert_int_equal(config_check(config, &err), ST_INVALID);
    assert_non_null(strstr(err.text, "tls_key_file without tls_cert_file"));
}

static void secrets_are_shown_to_nobody(void **state)
{
    static const char *const shown[] = {
        "url = redis://u:***@h:1/2",   ";sasl.password = ***",
        ";ssl.key.password = ***",     ";ssl.keystore.password = ***",
        "sasl.username = me",          "headers = Authorization: *** | X-Team: carts | x-api-KEY: ***",
        "url = https://me:***@h/work", "headers = Cookie: ***\n",
        "url = http://***@h/work",     "url = http://***@h:4318/v1/traces",
    };
    struct config *config = *state, again;
    struct err err = ERR_INIT;
    char *text;

    if (read_text(config,
                  "[redis]\nurl = redis://u:hunter2@h:1/2\n[kafka]\nsasl.username = me\nsasl.password = hunter2\n"
                  "ssl.key.password = hunter2\nssl.keystore.password = hunter2\n"
                  "[traces]\nurl = http://hunter2@h:4318/v1/traces\n"
                  "[type WebCart]\nhandler = http\nurl = https://me:hunter2@h/work\n"
                  "headers = Authorization: Bearer hunter2 | X-Team: carts | x-api-KEY: hunter2\n"
                  "[type XClean]\nhandler = http\nurl = http://hunter2@h/work\nheaders = Cookie: hunter2\n",
                  &err) != ST_OK)
        fail_msg("%s", err.text);
    text = printed(config, config_print);
    if (strstr(text, "hunter2"))
        fail_msg("%s", strstr(text, "hunter2") - 60);
    for (size_t i = 0; i < TEST_COUNT(shown); i++)
        if (!strstr(text, shown[i]))
            fail_msg("not there: %s", shown[i]);
    config_init(&again);
    if (read_text(&again, text, &err) != ST_OK) /* still a file that can be read */
        fail_msg("%s", err.text);
    config_release(&again);
    free(text);
}

static void errors_do_not_show_secrets(void **state)
{
    static const char *const cases[] = {
        "[redis]\nurl = redis://:hunter2\n",
        "[redis]\nurl = redis://default:hunter2\n",
        "[redis]\nurl = redis://h/hunter2\n",
        "[redis]\nurl = hunter2\n",
        "[kafka]\nsasl.password hunter2\n",
        "[kafka]\n= hunter2\n",
        "[kafka]\nssl.key.pem = hunter2\n",
        "[type WebCart]\nhandler = http\nurl = ftp://me:hunter2@h\n",
        "[type WebCart]\nheaders = X-Key: hunter2\x01\n",
    };
    struct err err = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        struct config config;
        enum status st;

        config_init(&config);
        st = read_text(&config, cases[i], &err);
        if (st == ST_OK)
            st = config_check(&config, &err);
        if (strstr(err.text, "hunter2") || (st == ST_OK && !strstr(cases[i], "pem")))
            fail_msg("case %zu: status %d, %s", i, (int)st, err.text);
        config_release(&config);
    }
}

static void the_sample_file_is_every_option_at_its_default(void **state)
{
    char path[512];
    char *text = printed(*state, config_print), *file = calloc(1, 100000);
    FILE *from;

    snprintf(path, sizeof path, "%.*sdeploy/bgop.ini", (int)(strstr(__FILE__, "tests/unit/") - __FILE__), __FILE__);
    from = fopen(path, "r");
    if (!from)
        fail_msg("%s: not there", path);
    assert_true(fread(file, 1, 99999, from) > 0);
    fclose(from);
    if (strcmp(file, text) != 0)
        print_error("deploy/bgop.ini is not what bgop-coordinator --print-config writes: write it anew\n");
    assert_string_equal(file, text);
    free(text);
    free(file);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(defaults_are_those_of_the_record),
        TEST(a_file_goes_over_the_defaults),
        TEST(lines_may_be_long_and_quotes_hold_semicolons),
        TEST(errors_name_line_option_and_the_nearest),
        TEST(a_missing_file_and_a_binary_one_are_refused),
        TEST(types_takes_second_place_wherever_it_stands),
        TEST(a_section_alone_declares_a_type),
        TEST(what_options_say_together_is_checked),
        TEST(the_environment_goes_over_the_file),
        TEST(values_that_no_line_can_hold_are_refused),
        TEST(topics_carry_the_prefix),
        TEST(what_is_printed_can_be_read_again),
        TEST(odd_values_are_printed_as_they_are_read),
        TEST(a_password_comes_from_its_file),
        TEST(a_password_file_that_is_none_is_refused),
        TEST(sentinels_have_a_password_file_of_their_own),
        TEST(the_password_of_kafka_comes_from_its_file),
        TEST(files_of_tls_go_into_the_url),
        TEST(secrets_are_shown_to_nobody),
        TEST(errors_do_not_show_secrets),
        TEST(the_sample_file_is_every_option_at_its_default),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
