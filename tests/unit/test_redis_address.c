/* Redis addresses, as all programs and libbgop read them. */
#include "tests/support/test.h"

#include <string.h>

#include "common/client/link.h"
#include "common/server/redis_address.h"

static const struct address_case {
    const char *uri, *host;
    int port;
    const char *user, *password;
    int db;
    const char *path, *text, *shown; /* shown NULL: as it is */
} cases[] = {
    { "redis://127.0.0.1:6380", "127.0.0.1", 6380, "", "", -1, "", "127.0.0.1:6380", NULL },
    { "redis://host", "host", 6379, "", "", -1, "", "host:6379", NULL },
    { "redis://host/", "host", 6379, "", "", -1, "", "host:6379", NULL },
    { "redis://h:1/15", "h", 1, "", "", 15, "", "h:1", NULL },
    { "redis://h/0", "h", 6379, "", "", 0, "", "h:6379", NULL },
    { "redis://u:p@h:1", "h", 1, "u", "p", -1, "", "h:1", "redis://u@h:1" },
    { "redis://u:@h:1", "h", 1, "u", "", -1, "", "h:1", NULL },
    { "redis://:p@h", "h", 6379, "", "p", -1, "", "h:6379", "redis://h" },
    { "redis://u:p%40%3a%zz%4@h", "h", 6379, "u", "p@:%zz%4", -1, "", "h:6379", "redis://u@h" },
    { "redis://u%3a:%25%2F%20p@h", "h", 6379, "u:", "%/ p", -1, "", "h:6379", "redis://u%3a@h" },
    { "redis://u:p@q@h/2", "h", 6379, "u", "p@q", 2, "", "h:6379", "redis://u@h/2" },
    { "redis://u:p:q/r?s#t@h/2", "h", 6379, "u", "p:q/r?s#t", 2, "", "h:6379", "redis://u@h/2" },
    { "redis://u:%c3%a9@h", "h", 6379, "u", "\xc3\xa9", -1, "", "h:6379", "redis://u@h" },
    { "redis://[::1]:7/3", "::1", 7, "", "", 3, "", "[::1]:7", NULL },
    { "redis://[::1]", "::1", 6379, "", "", -1, "", "[::1]:6379", NULL },
    { "redis://u:p@[fe80::1%25lo]:7/3", "fe80::1%25lo", 7, "u", "p", 3, "", "[fe80::1%25lo]:7",
      "redis://u@[fe80::1%25lo]:7/3" },
    { "redis://a:1,b,[::1]:3", "a", 1, "", "", -1, "", "a:1,b:6379,[::1]:3", NULL },
    { "redis://u:p,q@a:1,b:2", "a", 1, "u", "p,q", -1, "", "a:1,b:2", "redis://u@a:1,b:2" },
    { "redis+cluster://a", "a", 6379, "", "", -1, "", "a:6379", NULL },
    { "redis+cluster://u:p@a:1", "a", 1, "u", "p", -1, "", "a:1", "redis+cluster://u@a:1" },
    { "rediss://a:1,b:2?tls_ca_file=/c", "a", 1, "", "", -1, "", "a:1,b:2", NULL },
    { "rediss://h", "h", 6379, "", "", -1, "", "h:6379", NULL },
    { "rediss://u:p?q@[::1]:7/3?tls_ca_file=%2Fc%20a&tls_cert_file=/c&tls_key_file=/k", "::1", 7, "u", "p?q", 3, "",
      "[::1]:7", "rediss://u@[::1]:7/3?tls_ca_file=%2Fc%20a&tls_cert_file=/c&tls_key_file=/k" },
    { "redis+sentinel://a:1,b,[::1]:3/mine", "a", 1, "", "", -1, "", "mine of Sentinels a:1,b:26379,[::1]:3", NULL },
    { "redis+sentinel://u:p@a/my%20own/2", "a", 26379, "u", "p", 2, "", "my own of Sentinels a:26379",
      "redis+sentinel://u@a/my%20own/2" },
    { "redis+sentinel://u:p@a/m?sentinel_user=w&sentinel_password=q%40", "a", 26379, "u", "p", -1, "",
      "m of Sentinels a:26379", "redis+sentinel://u@a/m?sentinel_user=w" },
    { "redis+sentinel://a/m?sentinel_password=q", "a", 26379, "", "", -1, "", "m of Sentinels a:26379",
      "redis+sentinel://a/m" },
    { "rediss+sentinel://u:p@a,b/m?tls_ca_file=/c&sentinel_password=q", "a", 26379, "u", "p", -1, "",
      "m of Sentinels a:26379,b:26379", "rediss+sentinel://u@a,b/m?tls_ca_file=/c" },
    { "unix:///run/r.sock", "", 0, "", "", -1, "/run/r.sock", "/run/r.sock", NULL },
    { "unix:///run/a@b/r.sock", "", 0, "", "", -1, "/run/a@b/r.sock", "/run/a@b/r.sock", NULL },
    { "unix:///run/a@/r.sock", "", 0, "", "", -1, "/run/a@/r.sock", "/run/a@/r.sock", NULL },
    { "unix:///run/%3F%20.sock", "", 0, "", "", -1, "/run/? .sock", "/run/? .sock", NULL },
    { "unix://u:p@/run/r.sock", "", 0, "u", "p", -1, "/run/r.sock", "/run/r.sock", "unix://u@/run/r.sock" },
    { "unix://:p@/run/r.sock", "", 0, "", "p", -1, "/run/r.sock", "/run/r.sock", "unix:///run/r.sock" },
    { "unix://u:p%40%2F%3A@/run/r.sock?db=3", "", 0, "u", "p@/:", 3, "/run/r.sock", "/run/r.sock",
      "unix://u@/run/r.sock?db=3" },
    { "unix://u:p/q@/r", "", 0, "u", "p/q", -1, "/r", "/r", "unix://u@/r" },
    { "unix:///r?password=p%26%3D", "", 0, "", "p&=", -1, "/r", "/r", "unix:///r" },
    { "unix:///r?db=2&user=u&password=p", "", 0, "u", "p", 2, "/r", "/r", "unix://u@/r?db=2" },
};

static const char *const wrong[] = {
    "",
    "localhost",
    "localhost:6379",
    "http://h",
    "redis://",
    "redis://:6379",
    "redis://h:0",
    "redis://h:65536",
    "redis://h:x",
    "redis://h:",
    "redis://h/x",
    "redis://h/-1",
    "redis://h/65536",
    "redis://a:1,",
    "redis://,a:1",
    "redis://a:1,,b:2",
    "redis://a:1,b:x",
    "redis://a:1,b:2/1",
    "redis+cluster://",
    "redis+sentinel://",
    "redis+sentinel://a:1,b:2",
    "redis+sentinel://a:1/",
    "redis+sentinel:///secret",
    "redis+sentinel://a:x/secret",
    "redis+sentinel://a:1,/secret",
    "redis+sentinel://a/m/secret",
    "redis+sentinel://a/%00secret",
    "redis+sentinel://a/m?sentinel_user=secret",
    "redis+sentinel://a/m?password=secret",
    "redis+sentinel://a/m?tls_ca_file=/secret",
    "rediss+sentinel://a/m?sentinel_password=secret&x=y",
    "redis://[::1",
    "redis://[::1]x",
    "redis://::1:6379",
    "redis://::1",
    "unix://",
    "unix://relative",
    "unix://secret",
    "rediss://h?password=secret",
    "rediss://h?tls_ca_file=secret&x=y",
    "rediss://h?",
    "rediss://h?tls_key_file=/secret",
    "redis://h?tls_ca_file=/secret",
    "redis://secret:secret@:1",
    "redis://secret@h",
    "redis://h:secret",
    "redis://h/secret",
    "redis://user:secret",
    "redis://u:secret%00@h",
    "redis://h/0?password=secret",
    "unix://secret@/r",
    "unix:///r?user=secret",
    "unix:///r?passwort=secret",
    "unix:///r?password=secret&password=secret",
    "unix:///r?db=secret",
    "unix:///r?",
    "unix:///123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678",
};

static void same(const struct redis_address *address, const struct address_case *it)
{
    assert_string_equal(address->host, it->host);
    assert_int_equal(address->port, it->port);
    assert_string_equal(address->user, it->user);
    assert_string_equal(address->password, it->password);
    assert_int_equal(address->db, it->db);
    assert_string_equal(address->path, it->path);
    assert_string_equal(address->text, it->text);
}

static void addresses_are_read_by_the_programs_and_by_the_library(void **state)
{
    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        struct redis_address address;
        struct link link;
        struct err err = ERR_INIT;

        if (redis_address_parse(&address, cases[i].uri, &err) != ST_OK)
            fail_msg("%s: %s", cases[i].uri, err.text);
        same(&address, &cases[i]);
        if (*address.tls_ca_file) /* the library looks whether it is there */
            continue;
        assert_int_equal(link_init(&link, cases[i].uri, 100), BGOP_OK);
        same(&link.to, &cases[i]);
    }
}

static void wrong_addresses_say_what_is_expected_and_show_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < TEST_COUNT(wrong); i++) {
        struct redis_address address;
        struct link link;
        struct err err = ERR_INIT;

        if (redis_address_parse(&address, wrong[i], &err) != ST_INVALID)
            fail_msg("%s was taken", wrong[i]);
        assert_non_null(strstr(err.text, "Redis address"));
        assert_non_null(strstr(err.text, "redis://[user"));
        assert_null(strstr(err.text, "secret"));
        assert_int_equal(link_init(&link, wrong[i], 100), BGOP_INVALID);
        assert_string_equal(link.error, err.text);
    }
}

static void what_is_shown_and_what_ps_sees_has_no_password(void **state)
{
    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        char shown[256], hidden[256];
        struct redis_address address;

        assert_string_equal(redis_address_shown(shown, sizeof shown, cases[i].uri),
                            cases[i].shown ? cases[i].shown : cases[i].uri);
        assert_int_equal(redis_address_has_password(cases[i].uri), *cases[i].password != '\0');
        snprintf(hidden, sizeof hidden, "%s", cases[i].uri);
        redis_address_hide(hidden);
        assert_int_equal(strlen(hidden), strlen(cases[i].uri));
        assert_int_equal(redis_address_parse(&address, hidden, NULL), ST_OK);
        assert_string_equal(address.text, cases[i].text);
        if (*cases[i].password)
            assert_int_equal(strspn(address.password, "*"), strlen(address.password));
    }
}

static void files_of_tls_are_read_and_put_in(void **state)
{
    struct redis_address address;
    char uri[256], more[256];

    (void)state;
    assert_int_equal(redis_address_parse(&address, "redis://h", NULL), ST_OK);
    assert_false(address.tls);
    assert_true(redis_address_is_tls("rediss://h") && !redis_address_is_tls("redis://h"));
    assert_true(redis_address_with_file(uri, sizeof uri, "rediss://u:p@h/1", "tls_cert_file", "/a b&c@?"));
    assert_true(redis_address_with_file(more, sizeof more, uri, "tls_ca_file", "/ca"));
    assert_true(redis_address_with_file(uri, sizeof uri, more, "tls_cert_file", "/another"));
    assert_int_equal(redis_address_parse(&address, uri, NULL), ST_OK);
    assert_true(address.tls);
    assert_string_equal(address.tls_cert_file, "/a b&c@?");
    assert_string_equal(address.tls_ca_file, "/ca");
    assert_string_equal(address.tls_key_file, "");
    assert_string_equal(address.password, "p");
    assert_int_equal(address.db, 1);
    assert_false(redis_address_with_file(more, 24, "rediss://h", "tls_ca_file", "/ca.pem"));
}

static void sentinels_have_a_login_of_their_own(void **state)
{
    struct redis_address address, sentinel, primary;
    char uri[256];

    (void)state;
    assert_true(redis_address_is_sentinel("redis+sentinel://a/m") &&
                redis_address_is_sentinel("rediss+sentinel://a/m"));
    assert_false(redis_address_is_sentinel("redis://a/1"));
    assert_true(redis_address_is_tls("rediss+sentinel://a/m") && !redis_address_is_tls("redis+sentinel://a/m"));
    assert_true(redis_address_with_sentinel_login(uri, sizeof uri, "redis+sentinel://u:p@a:1,b:2/m/3", "w", "q&@?"));
    assert_int_equal(redis_address_parse(&address, uri, NULL), ST_OK);
    assert_int_equal(address.kind, REDIS_SENTINEL);
    assert_string_equal(address.primary, "m");
    redis_address_of_sentinel(&sentinel, &address, "b", 2);
    assert_string_equal(sentinel.text, "b:2");
    assert_string_equal(sentinel.user, "w");
    assert_string_equal(sentinel.password, "q&@?");
    assert_int_equal(sentinel.db, -1);
    redis_address_at(&primary, &address, "c", 7);
    assert_string_equal(primary.text, "c:7 (m)");
    assert_string_equal(primary.user, "u");
    assert_string_equal(primary.password, "p");
    assert_string_equal(primary.sentinel_password, "");
    assert_int_equal(primary.db, 3);
    assert_true(
        redis_address_with_sentinel_login(uri, sizeof uri, "redis+sentinel://a/m?sentinel_password=own", "", "q"));
    assert_string_equal(uri, "redis+sentinel://a/m?sentinel_password=own");
}

/* Odd passwords, put into every kind of address, come out again. */
static void a_login_is_put_in_and_read_again(void **state)
{
    static const char *const passwords[] = { "p",     "p@:/?#[]&=%", "%41", " blank ; comment", "\xc3\xa9\xe2\x82\xac",
                                             "a\"'\\" };
    static const char *const users[] = { "", "u", "u@:/" };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        for (size_t p = 0; p < TEST_COUNT(passwords); p++) {
            const char *user = users[p % TEST_COUNT(users)];
            struct redis_address address;
            struct address_case expected = cases[i];
            char uri[512];

            assert_true(redis_address_with_login(uri, sizeof uri, cases[i].uri, user, passwords[p]));
            expected.user = *cases[i].user || *cases[i].password ? cases[i].user : user;
            expected.password = *cases[i].password ? cases[i].password : passwords[p];
            assert_int_equal(redis_address_parse(&address, uri, NULL), ST_OK);
            same(&address, &expected);
        }
    }
}

/* A user of the query was put in front of the path as it stood there: u of u:v, and v a part of the password. */
static void a_user_of_the_query_stays_whole_beside_a_password_that_is_put_in(void **state)
{
    struct redis_address address;
    char uri[512];

    (void)state;
    assert_true(
        redis_address_with_login(uri, sizeof uri, "unix:///s.sock?user=u:v@/%40&password=&db=2", "other", "p:@"));
    assert_int_equal(redis_address_parse(&address, uri, NULL), ST_OK);
    assert_string_equal(address.user, "u:v@/@");
    assert_string_equal(address.password, "p:@");
    assert_string_equal(address.path, "/s.sock");
    assert_int_equal(address.db, 2);
}

static void a_login_that_does_not_fit_is_not_cut(void **state)
{
    char small[40];

    (void)state;
    assert_false(redis_address_with_login(small, sizeof small, "redis://127.0.0.1:6379", "user", "0123456789012345"));
    assert_false(redis_address_with_login(small, sizeof small, "127.0.0.1", "u", "p"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_by_the_programs_and_by_the_library),
        cmocka_unit_test(wrong_addresses_say_what_is_expected_and_show_nothing),
        cmocka_unit_test(what_is_shown_and_what_ps_sees_has_no_password),
        cmocka_unit_test(files_of_tls_are_read_and_put_in),
        cmocka_unit_test(sentinels_have_a_login_of_their_own),
        cmocka_unit_test(a_login_is_put_in_and_read_again),
        cmocka_unit_test(a_user_of_the_query_stays_whole_beside_a_password_that_is_put_in),
        cmocka_unit_test(a_login_that_does_not_fit_is_not_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
