/* The exec handler of the fault runs. Does what its payload "<serial> <verb> <number> <ms>" says, and keeps a book: one
 * line an event in executions.book of its working folder, each written by one write to a file opened for appending, so
 * that many processes share it and a SIGKILL leaves no half line.
 *
 *   start|alive|end <monotonic us> <epoch us> <pid> <Id> <token> <attempt> <leader Id> <serial> <outcome>
 *
 *   ok      works for ms                   fail    the first <number> attempts fail
 *   crash   the first <number> attempts end by SIGSEGV
 *   hang    the first <number> attempts ignore SIGTERM and go on until they are killed
 *   bad     fails for good
 * and, to hurt (the attempt succeeds if it comes to its end):
 *   fork    children without end           hog     takes <number> MiB of memory
 *   flood   writes <number> MiB to stdout  child   leaves a child behind that holds the pipes open
 *   closed  closes its stdin at once */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MEMBERS_MAX = 512, ALIVE_MS = 100, MIB = 1 << 20 };

struct member {
    const char *id, *sequence;
    char verb[16];
    long long token, attempt, serial, number, ms;
    bool begun;
    const char *outcome; /* NULL: none yet */
};

static struct member members[MEMBERS_MAX];
static size_t count;
static int book;

/* Of the machine: a clock of this worker that jumps (skew.c) is not the book's. */
static long long now_us(clockid_t clock)
{
    struct timespec now;

    syscall(SYS_clock_gettime, clock, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void note(const char *what, const struct member *member)
{
    char line[512];
    int size = snprintf(line, sizeof line, "%s %lld %lld %d %s %lld %lld %s %lld %s\n", what, now_us(CLOCK_MONOTONIC),
                        now_us(CLOCK_REALTIME), (int)getpid(), member->id, member->token, member->attempt,
                        members[0].id, member->serial, member->outcome ? member->outcome : "-");

    if (write(book, line, (size_t)size) != size)
        _exit(70);
}

/* For whoever is at work: one member at a time. */
static void note_alive(void)
{
    for (size_t i = 0; i < count; i++) {
        if (members[i].begun && members[i].outcome == NULL)
            note("alive", &members[i]);
    }
}

static void begin(struct member *member)
{
    member->begun = true;
    note("start", member);
}

static void work(long long ms)
{
    long long until = now_us(CLOCK_MONOTONIC) + ms * 1000, left;

    while ((left = until - now_us(CLOCK_MONOTONIC)) > 0) {
        long long nap = left < ALIVE_MS * 1000 ? left : ALIVE_MS * 1000;
        struct timespec time = { .tv_sec = 0, .tv_nsec = nap * 1000 };

        nanosleep(&time, NULL);
        if (left > ALIVE_MS * 1000)
            note_alive();
    }
}

static void hang(void)
{
    signal(SIGTERM, SIG_IGN);
    for (;;)
        work(1000);
}

static void hog(long long mib)
{
    for (long long i = 0; i < mib; i++) {
        char *block = malloc(MIB);

        if (block == NULL)
            return;
        memset(block, 1, MIB);
    }
}

static void flood(long long mib)
{
    static char line[1024];

    memset(line, 'x', sizeof line);
    for (long long i = 0; i < mib * 1024; i++) {
        if (write(STDOUT_FILENO, line, sizeof line) < 0)
            return;
    }
}

/* Each child lives until the whole group is ended from outside; the number is bounded, so that a machine without limits
 * survives its test. */
static void fork_storm(long long most)
{
    for (long long i = 0; i < most; i++) {
        pid_t child = fork();

        if (child < 0)
            return;
        if (child == 0) {
            sleep(600);
            _exit(0);
        }
    }
}

static void hurt(const struct member *member)
{
    if (strcmp(member->verb, "fork") == 0)
        fork_storm(member->number);
    else if (strcmp(member->verb, "hog") == 0)
        hog(member->number);
    else if (strcmp(member->verb, "flood") == 0)
        flood(member->number);
    else if (strcmp(member->verb, "child") == 0)
        fork_storm(1);
    else if (strcmp(member->verb, "closed") == 0)
        close(STDIN_FILENO);
}

/* Answers how it ended. */
static const char *execute(struct member *member)
{
    bool first = member->attempt <= member->number;

    hurt(member);
    if (strcmp(member->verb, "hang") == 0 && first)
        hang();
    work(member->ms);
    if (strcmp(member->verb, "crash") == 0 && first)
        return "crash";
    if (strcmp(member->verb, "bad") == 0)
        return "permanent";
    return strcmp(member->verb, "fail") == 0 && first ? "error" : "ok";
}

static void finish(struct member *member, const char *outcome)
{
    member->outcome = outcome;
    note("end", member);
    if (strcmp(outcome, "crash") == 0)
        raise(SIGSEGV);
}

static bool payload_read(struct member *member, const char *payload)
{
    return sscanf(payload, "%lld %15s %lld %lld", &member->serial, member->verb, &member->number, &member->ms) == 4;
}

/* ---- one operation ---- */

static long long number_of(const char *name)
{
    const char *text = getenv(name);

    return text ? strtoll(text, NULL, 10) : 0;
}

static int run_one(void)
{
    static char payload[4 * MIB];
    size_t size = fread(payload, 1, sizeof payload - 1, stdin);
    struct member *member = &members[0];

    payload[size] = '\0';
    *member = (struct member){ .id = getenv("BGOP_ID"),
                               .token = number_of("BGOP_TOKEN"),
                               .attempt = number_of("BGOP_ATTEMPT") };
    count = 1;
    if (member->id == NULL || !payload_read(member, payload)) {
        fprintf(stderr, "no payload of a fault run\n");
        return 65;
    }
    begin(member);
    finish(member, execute(member));
    if (strcmp(member->outcome, "ok") == 0) {
        printf("%lld", member->serial);
        return 0;
    }
    fprintf(stderr, "attempt %lld of %lld: %s\n", member->attempt, member->serial, member->outcome);
    return strcmp(member->outcome, "permanent") == 0 ? 65 : 75;
}

/* ---- a group: a JSON line for each member, one back ---- */

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}

static long long whole_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return json_is_string(value) ? strtoll(json_string_value(value), NULL, 10) : json_integer_value(value);
}

static bool members_read(void)
{
    static char line[4 * MIB];

    while (count < MEMBERS_MAX && fgets(line, sizeof line, stdin) != NULL) {
        json_t *object = json_loads(line, 0, NULL); /* lives as long as we do */

        if (object == NULL)
            return false;
        members[count] = (struct member){ .id = text_of(object, "Id"),
                                          .sequence = text_of(object, "SequenceGroup"),
                                          .token = whole_of(object, "Token"),
                                          .attempt = whole_of(object, "Attempt") };
        if (!payload_read(&members[count], text_of(object, "Payload")))
            return false;
        count++;
    }
    return count > 0;
}

static bool stands_behind_a_failure(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (*members[n].sequence && strcmp(members[i].sequence, members[n].sequence) == 0 &&
            strcmp(members[i].outcome, "ok") != 0)
            return true;
    }
    return false;
}

static int run_group(void)
{
    if (!members_read()) {
        fprintf(stderr, "no payloads of a fault run\n");
        return 65;
    }
    /* A member begins when its turn comes: the order inside a sequence is ours to keep, and the checker looks. */
    for (size_t i = 0; i < count; i++) {
        struct member *member = &members[i];

        if (stands_behind_a_failure(i)) {
            member->outcome = "skipped";
        } else {
            begin(member);
            finish(member, execute(member));
        }
        printf("{\"Id\":\"%s\",\"Outcome\":\"%s\",\"Result\":\"%lld\"}\n", member->id, member->outcome, member->serial);
        fflush(stdout);
    }
    return 0;
}

int main(void)
{
    book = open("executions.book", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (book < 0) {
        perror("executions.book");
        return 70;
    }
    return getenv("BGOP_MEMBERS") ? run_group() : run_one();
}
