/* https with an authority of one's own, and with a certificate of the client's; against Python's ssl (tls/server.py). */
#include "handler_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static char folder[400], url[64];

static const char *file(const char *name)
{
    static char paths[4][500];
    static int next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void expect(struct type_config config, enum entry_kind kind, const char *part)
{
    struct fixture *fixture;
    const struct outcome *outcome;
    const char *said;

    config.url = url;
    fixture = fixture_open("http", config);
    outcome = fixture_run(fixture, fixture_op(1, "x", 1));
    said = outcome->result ? outcome->result : outcome->text ? outcome->text : "";
    if (outcome->kind != kind || !strstr(said, part))
        fail_msg("expected %s, \"%s\"; got %s, \"%s\"", entry_kind_name(kind), part, entry_kind_name(outcome->kind),
                 said);
    fixture_close(fixture);
}

static void an_authority_of_ones_own_is_trusted_when_it_is_named(void **state)
{
    (void)state;
    expect((struct type_config){ .ca_file = (char *)file("ca.pem") }, ENTRY_OK, "nobody");
    expect((struct type_config){ .ca_file = (char *)"" }, ENTRY_ERROR, "certificate");
    expect((struct type_config){ .ca_file = (char *)file("other.pem") }, ENTRY_ERROR, "certificate");
}

static void append_file(int fd, const char *path)
{
    char bytes[16384];
    int from = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = read(from, bytes, sizeof bytes);

    assert_in_range(size, 1, sizeof bytes - 1); /* all of it */
    assert_int_equal(write(fd, bytes, (size_t)size), size);
    close(from);
}

static void the_clients_certificate_is_shown(void **state)
{
    char both[] = "/tmp/bgop-test-XXXXXX";
    int fd = mkstemp(both);

    (void)state;
    expect((struct type_config){ .ca_file = (char *)file("ca.pem"),
                                 .cert_file = (char *)file("client.pem"),
                                 .key_file = (char *)file("client.key") },
           ENTRY_OK, "bgop test client");
    append_file(fd, file("client.pem"));
    append_file(fd, file("client.key"));
    close(fd);
    expect((struct type_config){ .ca_file = (char *)file("ca.pem"), .cert_file = both }, ENTRY_OK, "bgop test client");
    unlink(both);
}

static void files_that_will_not_do_are_refused_at_start(void **state)
{
    const struct {
        const char *ca, *cert, *key, *text;
    } cases[] = {
        { "/no/such.pem", NULL, NULL, "ca_file = /no/such.pem: No such file" },
        { "/tmp", NULL, NULL, "ca_file = /tmp is no regular file" },
        { file("client.key"), NULL, NULL, "holds no CERTIFICATE in PEM form" },
        { NULL, "/no/such.pem", NULL, "cert_file = /no/such.pem: No such file" },
        { NULL, file("client.pem"), NULL, "holds no PRIVATE KEY: key_file says where it is" },
        { NULL, file("client.pem"), "/no/such.key", "key_file = /no/such.key: No such file" },
        { NULL, NULL, file("client.key"), "needs cert_file" },
    };
    struct err err = ERR_INIT;
    void *prepared;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct type_config config = { .url = url,
                                      .ca_file = (char *)cases[i].ca,
                                      .cert_file = (char *)cases[i].cert,
                                      .key_file = (char *)cases[i].key };

        assert_int_equal(http_handler.prepare(&config, &prepared, &err), ST_INVALID);
        if (!strstr(err.text, cases[i].text))
            fail_msg("expected \"%s\" in: %s", cases[i].text, err.text);
    }
}

/* In the same file, as it needs a server and a name to look up: the worker's own shortage is not the service's refusal. */
static void without_descriptors_it_is_given_back(void **state)
{
    const struct {
        const char *host;
    } cases[] = { { "127.0.0.1:1" }, { "localhost:1" } };
    struct rlimit before, none;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char there[64];
        struct fixture *fixture;
        struct claimed op = fixture_op(1, "x", 1);
        struct execution *execution;

        snprintf(there, sizeof there, "http://%s/", cases[i].host);
        fixture = fixture_open("http", (struct type_config){ .url = there });
        execution = fixture_execution(fixture, &op, 1);
        none.rlim_cur = 3;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        fixture_start(fixture, execution);
        fixture_wait(fixture, 1);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_string_equal(entry_kind_name(execution->members[0].outcome.kind), "returned");
        assert_true(execution->shortage);
        assert_non_null(strstr(execution->members[0].outcome.text, "cannot connect: "));
        assert_string_equal(entry_kind_name(fixture_run(fixture, fixture_op(2, "x", 1))->kind), "error"); /* refused */
        fixture_close(fixture);
    }
}

static pid_t server;

static int server_start(void **state)
{
    int port[2], number = 0;
    FILE *from;

    (void)state;
    snprintf(folder, sizeof folder, "%.*stests/unit/tls", (int)(strstr(__FILE__, "tests/unit/") - __FILE__), __FILE__);
    assert_int_equal(pipe(port), 0);
    server = fork();
    if (server == 0) {
        dup2(port[1], STDOUT_FILENO);
        close(port[0]);
        close(port[1]);
        execlp("python3", "python3", "-B", file("server.py"), folder, (char *)NULL);
        _exit(127);
    }
    close(port[1]);
    from = fdopen(port[0], "r");
    if (fscanf(from, "%d", &number) != 1)
        fail_msg("%s did not start", file("server.py"));
    fclose(from);
    snprintf(url, sizeof url, "https://127.0.0.1:%d/", number);
    return 0;
}

static int server_stop(void **state)
{
    (void)state;
    kill(server, SIGKILL);
    return waitpid(server, NULL, 0) == server ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_authority_of_ones_own_is_trusted_when_it_is_named),
        cmocka_unit_test(the_clients_certificate_is_shown),
        cmocka_unit_test(files_that_will_not_do_are_refused_at_start),
        cmocka_unit_test(without_descriptors_it_is_given_back),
    };

    for (const char *const *name =
             (const char *const[]){ "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", NULL };
         *name; name++)
        unsetenv(*name);
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, server_start, server_stop);
}
