/* The HTTP endpoint without a Redis: who may ask, which paths there are, what is constant, and that a Redis that is
 * away is told of as such. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/config/config.h"
#include "coordinator/http/endpoint.h"
#include "coordinator/http/token.h"
#include "tests/support/http_client.h"
#include "tests/support/test.h"

#define V         "/services/data/v59.0"
#define O         V "/sobjects/BackgroundOperation"
#define TOKEN     "00Dxx0000000001!reader"
#define BEARER    "Authorization: Bearer " TOKEN "\r\n"
#define NOT_FOUND "[{\"message\":\"The requested resource does not exist\",\"errorCode\":\"NOT_FOUND\"}]"
#define STRANGER  "[{\"message\":\"Session expired or invalid\",\"errorCode\":\"INVALID_SESSION_ID\"}]"

static struct config config;
static struct endpoint *endpoint;
static char token_file[] = "/tmp/bgop-test-token-XXXXXX", operator_file[] = "/tmp/bgop-test-token-XXXXXX";

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void set(const char *section, const char *name, const char *value)
{
    struct err err = ERR_INIT;

    if (config_set(&config, section, name, value, &err) != ST_OK)
        fail_msg("%s", err.text);
}

static bool asleep(void *arg, char *why, size_t size)
{
    (void)arg;
    snprintf(why, size, "the shards are asleep");
    return false;
}

static int start(void **state)
{
    const struct endpoint_about about = { .ready = asleep };
    struct err err = ERR_INIT;

    (void)state;
    log_start("test", LOG_LEVEL_ERROR, false);
    close(mkstemp(token_file));
    close(mkstemp(operator_file));
    write_file(token_file, TOKEN "\n");
    write_file(operator_file, "operator");
    config_init(&config);
    set("redis", "url", "unix:///nowhere/redis.sock");
    set("http", "listen", "127.0.0.1:0");
    set("http", "token_file", token_file);
    set("http", "operator_token_file", operator_file);
    if (endpoint_start(&endpoint, &config, &about, &err) != ST_OK)
        fail_msg("%s", err.text);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    endpoint_stop(endpoint);
    config_release(&config);
    unlink(token_file);
    unlink(operator_file);
    return 0;
}

static void expect(const char *method, const char *path, const char *headers, int status, const char *part)
{
    const struct http_reply *reply = http_client_ask(endpoint_port(endpoint), method, path, headers, NULL);

    if (reply->status != status || !strstr(reply->body, part))
        fail_msg("%s %.300s: expected %d %s, got %d %.300s", method, path, status, part, reply->status, reply->body);
    if (strcmp(method, "HEAD") != 0 && !strstr(reply->head, "Content-Type: application/json;charset=UTF-8\r\n"))
        fail_msg("%s %.300s: %s", method, path, reply->head);
}

static void who_has_no_token_is_refused_everywhere(void **state)
{
    static const char *const paths[] = {
        V,
        V "/",
        V "/sobjects",
        O,
        O "/describe",
        O "/08P000000000001EAA",
        O "/Name/x",
        O "/updated/?start=a&end=b",
        V "/query?q=SELECT+Id",
        V "/composite/sobjects/BackgroundOperation",
        V "/nothing",
        "/services/oauth2/userinfo",
        "/services/data/v99.0",
        "/services/nothing",
        "/id/00Dxx0000000001EAA/005xx0000000001AAA",
        "/id/x",
    };
    static const char *const headers[] = {
        "",
        "Authorization: Bearer\r\n",
        "Authorization: Bearer \r\n",
        "Authorization: Bearer 00Dxx0000000001!reade\r\n",
        "Authorization: Bearer 00Dxx0000000001!readerr\r\n",
        "Authorization: Bearer 00Dxx0000000001!Reader\r\n",
        "Authorization: Basic " TOKEN "\r\n",
        "Authorization: " TOKEN "\r\n",
        "Cookie: sid=" TOKEN "\r\n",
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(paths); i++) {
        for (size_t j = 0; j < TEST_COUNT(headers); j++)
            expect("GET", paths[i], headers[j], 401, STRANGER);
    }
    expect("PATCH", O, "", 401, STRANGER);
    expect("GET", O "?oauth_token=" TOKEN, "", 401, STRANGER);
    expect("GET", "/services/data/", "", 200, "[{\"label\":\"Winter '16\"");
}

static void a_token_comes_in_several_ways(void **state)
{
    (void)state;
    expect("GET", V, BEARER, 200, "\"sobjects\":\"/services/data/v59.0/sobjects\"");
    expect("GET", V, "authorization: bearer " TOKEN "\r\n", 200, "sobjects");
    expect("GET", V, "Authorization: OAuth " TOKEN "\r\n", 200, "sobjects");
    expect("GET", V, "Authorization: Bearer operator\r\n", 200, "sobjects");
    expect("GET", "/id/00Dxx0000000001EAA/005xx0000000001?oauth_token=" TOKEN, "", 200,
           "\"user_id\":\"005xx0000000001");
}

/* The client adds one Host; two are none. */
static void who_does_not_name_one_host_is_told_in_the_same_form(void **state)
{
    static const char told[] =
        "[{\"message\":\"A request of HTTP/1.1 has one Host header\",\"errorCode\":\"BAD_REQUEST\"}]";

    (void)state;
    expect("GET", "/services/data", "Host: y\r\n", 400, told);
    expect("GET", V "/nothing", "Host: y\r\n", 400, told);
    expect("GET", "/bgop/v1/session", "Host: y\r\n", 400, told);
}

static void versions_are_35_to_66(void **state)
{
    static const char *const wrong[] = { "v34.0", "v67.0", "59.0", "v59", "v59.1", "v059.0", "v59.0.0", "v+59.0", "v" };
    char path[64];

    (void)state;
    expect("GET", "/services/data", "", 200,
           "{\"label\":\"Spring '26\",\"url\":\"/services/data/v66.0\",\"version\":\"66.0\"}]");
    expect("GET", "/services/data", "", 200,
           "{\"label\":\"Spring '16\",\"url\":\"/services/data/v36.0\",\"version\":\"36.0\"}");
    for (size_t i = 0; i < TEST_COUNT(wrong); i++) {
        snprintf(path, sizeof path, "/services/data/%s/limits", wrong[i]);
        expect("GET", path, BEARER, 404, NOT_FOUND);
    }
    expect("GET", "/services/data/v35.0/limits/", BEARER, 200, "{\"DailyApiRequests\":{\"Max\":");
    expect("GET", "/services/data/v41.0/composite", BEARER, 404, NOT_FOUND);
    expect("GET", "/services/data/v42.0/composite", BEARER, 200, "/services/data/v42.0/composite/sobjects");
}

static void what_is_not_there_is_an_array_of_errors(void **state)
{
    (void)state;
    expect("GET", V "/nothing", BEARER, 404, NOT_FOUND);
    expect("GET", "/services/", BEARER, 404, NOT_FOUND);
    expect("GET", V "/sobjects/Account", BEARER, 404, NOT_FOUND);
    expect("GET", V "/sobjects/Account/describe", BEARER, 404, NOT_FOUND);
    expect("GET", V "/sobjects/Account/08P000000000001EAA", BEARER, 404, NOT_FOUND);
    expect("GET", O "/a/b/c", BEARER, 404, NOT_FOUND);
    expect("GET", O "/%00", BEARER, 404, NOT_FOUND);
    expect("GET", O "/short", BEARER, 404, "Provided external ID field does not exist or is not accessible: short");
    expect("GET", O "/Status/New", BEARER, 404,
           "Provided external ID field does not exist or is not accessible: Status");
    expect("GET", O "/Nonsense%22/New", BEARER, 404, "not accessible: Nonsense\\\"\"");
    expect("GET", O "/001000000000001", BEARER, 404, NOT_FOUND);
    expect("GET", O "/08P000000000001EAB", BEARER, 400,
           "[{\"message\":\"malformed id 08P000000000001EAB\",\"errorCode\":\"MALFORMED_ID\"}]");
    expect("GET", V "/search?q=FIND", BEARER, 400, "INVALID_TYPE_FOR_OPERATION");
    expect("GET", O "/updated?start=2026-11-23T10:00:00Z", BEARER, 400, "MISSING_ARGUMENT");
    expect(
        "GET", O "/08P000000000001EAA?fields=Id,Nonsense", BEARER, 400,
        "[{\"message\":\"No such column 'Nonsense' on sobject of type BackgroundOperation\",\"errorCode\":\"INVALID_FIELD\"}]");
    expect("GET", V "/query?q=nonsense", BEARER, 400, "\"errorCode\":\"MALFORMED_QUERY\"");
    expect("GET", V "/query", BEARER, 400, "\"errorCode\":\"MALFORMED_QUERY\"");
    expect("GET", V "/query?q=SELECT+Name+FROM+Organization", BEARER, 400, "\"errorCode\":\"INVALID_TYPE\"");
    expect("GET", V "/query?q=SELECT+Nonsense+FROM+BackgroundOperation", BEARER, 400,
           "\"errorCode\":\"INVALID_FIELD\"");
    expect("GET", V "/query/01g000000000001-2000", BEARER, 400, "\"errorCode\":\"INVALID_QUERY_LOCATOR\"");
    expect("GET", V "/query/00000000000000000000-2000", BEARER, 400, "\"errorCode\":\"INVALID_QUERY_LOCATOR\"");
}

static void writing_is_not_allowed(void **state)
{
    static const char *const methods[] = { "POST", "PATCH", "PUT", "DELETE" };
    char part[128];

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(methods); i++) {
        snprintf(
            part, sizeof part,
            "[{\"message\":\"HTTP Method '%s' not allowed. Allowed are HEAD,GET\",\"errorCode\":\"METHOD_NOT_ALLOWED\"}]",
            methods[i]);
        expect(methods[i], O, BEARER, 405, part);
        expect(methods[i], O "/08P000000000001EAA", BEARER, 405, part);
        expect(methods[i], O "/Name/x", BEARER, 405, part);
    }
    expect("DELETE", V "/composite/sobjects/BackgroundOperation", BEARER, 405, "Allowed are HEAD,GET,POST");
    expect("HEAD", V, BEARER, 200, "");
}

static void sizes_have_limits(void **state)
{
    enum { LONG = 20 * 1024, LARGE = 300 * 1024 };
    char *path = malloc(LARGE + 200), *body = malloc(LARGE + 1);
    const struct http_reply *reply;

    (void)state;
    memset(body, 'x', LARGE);
    body[LARGE] = '\0';
    snprintf(path, LARGE, V "/query?q=%.*s", LONG, body);
    expect("GET", path, BEARER, 414, "[{\"message\":\"A path with its query may have 16384 bytes\"");
    expect("GET", path, "", 401, STRANGER);
    reply = http_client_ask(endpoint_port(endpoint), "POST", V "/composite/sobjects/BackgroundOperation", BEARER, body);
    assert_int_equal(reply->status, 413);
    assert_string_equal(
        reply->body, "[{\"message\":\"A body may have 262144 bytes here\",\"errorCode\":\"REQUEST_LIMIT_EXCEEDED\"}]");
    free(path);
    free(body);
}

static void a_body_must_be_what_is_asked_for(void **state)
{
    static const char *const wrong[] = {
        "",
        "{",
        "[]",
        "{\"ids\":[]}",
        "{\"ids\":\"a\",\"fields\":[\"Id\"]}",
        "nonsense",
        "{\"ids\":[1],\"fields\":[\"Id\"]}",
        "{\"ids\":[],\"fields\":[null]}",
        "{\"ids\":[],\"fields\":[\"Id\"]} x",
    };
    const struct http_reply *reply;

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(wrong); i++) {
        reply = http_client_ask(endpoint_port(endpoint), "POST", V "/composite/sobjects/BackgroundOperation", BEARER,
                                wrong[i]);
        if (reply->status != 400 || !strstr(reply->body, "\"errorCode\":\"JSON_PARSER_ERROR\""))
            fail_msg("%s: %d %s", wrong[i], reply->status, reply->body);
    }
    reply = http_client_ask(endpoint_port(endpoint), "POST", V "/composite/sobjects/BackgroundOperation", BEARER,
                            "{\"ids\":[],\"fields\":[\"Ids\"]}");
    assert_string_equal(reply->body, "[{\"message\":\"No such column 'Ids' on sobject of type BackgroundOperation\","
                                     "\"errorCode\":\"INVALID_FIELD\"}]");
}

static void constants_tell_who_one_is(void **state)
{
    (void)state;
    expect("GET", "/services/oauth2/userinfo", BEARER, 200, "\"organization_id\":\"00Dxx0000000001EAA\"");
    expect(
        "GET", V "/sobjects/User/005xx0000000001AAA", BEARER, 200,
        "\"url\":\"/services/data/v59.0/sobjects/User/005xx0000000001AAA\"},\"Id\":\"005xx0000000001AAA\",\"Username\":");
    expect("GET", V "/sobjects/User/005xx0000000002AAA", BEARER, 404, NOT_FOUND);
    expect("GET", "/id/00Dxx0000000001EAA/005xx0000000002AAA", BEARER, 404, NOT_FOUND);
}

static void the_base_is_how_the_client_calls_us(void **state)
{
    char part[128];

    (void)state;
    snprintf(part, sizeof part, "\"identity\":\"http://127.0.0.1:%d/id/00Dxx0000000001EAA/005xx0000000001AAA\"",
             endpoint_port(endpoint));
    expect("GET", V, BEARER, 200, part);
    set("http", "page_url", "https://queue.example.org/");
    expect("GET", V, BEARER, 200, "\"identity\":\"https://queue.example.org/id/00Dxx");
    set("http", "page_url", "");
}

static void a_query_tells_its_columns(void **state)
{
    (void)state;
    expect("GET", V "/query?q=SELECT+Id,GroupLeader.Name,RetryCount+FROM+backgroundoperation&columns=true", BEARER, 200,
           "{\"columnMetadata\":[{\"aggregate\":false,\"apexType\":\"Id\",\"booleanType\":false,\"columnName\":\"Id\","
           "\"custom\":false,\"displayName\":\"Id\",\"foreignKeyName\":null,\"insertable\":false,\"joinColumns\":[],"
           "\"numberType\":false,\"textType\":true,\"updatable\":false},");
    expect("GET", V "/query?q=SELECT+Id,GroupLeader.Name,RetryCount+FROM+backgroundoperation&columns=true", BEARER, 200,
           "\"columnName\":\"GroupLeader\"");
    expect("GET", V "/query?q=SELECT+Status,COUNT(Id)+n+FROM+backgroundoperation+GROUP+BY+Status&columns=true", BEARER,
           200, "\"entityName\":\"BackgroundOperation\",\"groupBy\":true,\"idSelected\":false,\"keyPrefix\":\"08P\"}");
}

static void a_redis_that_is_away_is_told_of_without_its_address(void **state)
{
    static const char *const paths[] = {
        O,
        O "/describe",
        O "/08P000000000001EAA",
        O "/Name/x",
        V "/sobjects",
        O "/updated?start=2026-11-23T10:00:00Z&end=2026-11-23T11:00:00Z",
        V "/query?q=SELECT+Id+FROM+BackgroundOperation",
        V "/composite/sobjects/BackgroundOperation?ids=a&fields=Id",
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(paths); i++) {
        expect("GET", paths[i], BEARER, 503,
               "[{\"message\":\"The queue's records cannot be read just now; try again shortly\",\"errorCode\":"
               "\"SERVER_UNAVAILABLE\"}]");
    }
}

/* Redis is away: that is one of the numbers. */
static void numbers_and_readiness_are_told_without_redis(void **state)
{
    const struct http_reply *reply = http_client_ask(endpoint_port(endpoint), "GET", "/metrics", BEARER, NULL);

    (void)state;
    assert_int_equal(reply->status, 200);
    assert_non_null(strstr(reply->body, "\nbgop_redis_up 0\n"));
    assert_non_null(strstr(reply->body, "program=\"bgop-coordinator\""));
    assert_int_equal(http_client_ask(endpoint_port(endpoint), "GET", "/metrics", "", NULL)->status, 401);
    reply = http_client_ask(endpoint_port(endpoint), "GET", "/healthz", "", NULL);
    assert_int_equal(reply->status, 200);
    reply = http_client_ask(endpoint_port(endpoint), "GET", "/readyz", "", NULL);
    assert_int_equal(reply->status, 503);
    assert_string_equal(reply->body, "the shards are asleep\n");
}

static void a_start_that_cannot_be_says_why(void **state)
{
    static const struct {
        const char *token, *says;
    } cases[] = {
        { "", "one line of 1 to 512 printable ASCII characters without blanks is expected" },
        { "\n", "one line of 1 to 512" },
        { "two words\n", "one line of 1 to 512" },
        { "two\nlines\n", "one line of 1 to 512" },
        { "umlaut\xc3\xa4", "one line of 1 to 512" },
    };
    struct endpoint *other = NULL;
    struct err err = ERR_INIT;
    char listen[64];

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        write_file(operator_file, cases[i].token);
        assert_int_equal(endpoint_start(&other, &config, NULL, &err), ST_INVALID);
        assert_non_null(strstr(err.text, "[http] operator_token_file: /tmp/"));
        assert_non_null(strstr(err.text, cases[i].says));
    }
    set("http", "operator_token_file", "");
    set("http", "token_file", "/nowhere/token");
    assert_int_equal(endpoint_start(&other, &config, NULL, &err), ST_INVALID);
    assert_string_equal(err.text, "[http] token_file: /nowhere/token: No such file or directory");
    set("http", "token_file", "");
    assert_int_equal(endpoint_start(&other, &config, NULL, &err), ST_INVALID);
    assert_non_null(strstr(err.text, "[http] listen needs token_file"));
    set("http", "token_file", token_file);
    snprintf(listen, sizeof listen, "127.0.0.1:%d", endpoint_port(endpoint));
    set("http", "listen", listen);
    assert_int_equal(endpoint_start(&other, &config, NULL, &err), ST_FAILED);
    assert_non_null(strstr(err.text, "is the port taken"));
    set("http", "listen", "");
    assert_int_equal(endpoint_start(&other, &config, NULL, &err), ST_OK);
    assert_null(other);
}

static void a_token_is_compared_whole(void **state)
{
    struct token token = { .text = "abc", .size = 3 }, none = { .size = 0 };

    (void)state;
    assert_true(token_fits(&token, "abc"));
    assert_false(token_fits(&token, "ab"));
    assert_false(token_fits(&token, "abcd"));
    assert_false(token_fits(&token, "abd"));
    assert_false(token_fits(&token, ""));
    assert_false(token_fits(&token, NULL));
    assert_false(token_fits(&none, ""));
    assert_false(token_fits(&none, NULL));
    assert_string_equal(token_of_header("oauth  x y"), "x y");
    assert_null(token_of_header("Bearerx"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_no_token_is_refused_everywhere),
        cmocka_unit_test(a_token_comes_in_several_ways),
        cmocka_unit_test(who_does_not_name_one_host_is_told_in_the_same_form),
        cmocka_unit_test(versions_are_35_to_66),
        cmocka_unit_test(what_is_not_there_is_an_array_of_errors),
        cmocka_unit_test(writing_is_not_allowed),
        cmocka_unit_test(sizes_have_limits),
        cmocka_unit_test(a_body_must_be_what_is_asked_for),
        cmocka_unit_test(constants_tell_who_one_is),
        cmocka_unit_test(the_base_is_how_the_client_calls_us),
        cmocka_unit_test(a_query_tells_its_columns),
        cmocka_unit_test(a_redis_that_is_away_is_told_of_without_its_address),
        cmocka_unit_test(a_token_is_compared_whole),
        cmocka_unit_test(numbers_and_readiness_are_told_without_redis),
        cmocka_unit_test(a_start_that_cannot_be_says_why), /* the last: it takes the configuration apart */
    };
    return cmocka_run_group_tests(tests, start, stop);
}
