/* The small languages of options, flags and headers: a handler's command, how long to wait, an address of Redis, an Id.
 * The first byte chooses. */
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/record/id.h"
#include "common/record/retry.h"
#include "common/server/redis_address.h"
#include "tests/fuzz/fuzz.h"
#include "worker/handlers/exec_command.h"
#include "worker/handlers/retry_after.h"

static void check_command(const char *text)
{
    struct err err = ERR_INIT;
    char **argv;
    size_t total = 0;

    if (exec_command_split(text, &argv, &err) != ST_OK) {
        FUZZ_CHECK(err.status == ST_INVALID && err.text[0]);
        return;
    }
    FUZZ_CHECK(argv[0]);
    for (char **word = argv; *word; word++)
        total += strlen(*word);
    FUZZ_CHECK(total <= strlen(text));
    exec_command_free(argv);
}

static void check_retry_after(const char *text)
{
    int64_t ms = -1;

    if (!retry_after_header(text, INT64_C(1700000000000), &ms))
        FUZZ_CHECK(ms >= 0 && ms <= RETRY_DELAY_MAX_MS);
    ms = -1;
    if (!retry_after_number(text, strlen(text), 1, &ms))
        FUZZ_CHECK(ms >= 0 && ms <= RETRY_DELAY_MAX_MS);
}

/* What is shown has no password, and a login that is put in comes back. */
static void check_address(const char *text)
{
    struct redis_address address, back;
    struct err err = ERR_INIT;
    char shown[512], with[4096];
    enum status st = redis_address_parse(&address, text, &err);

    FUZZ_CHECK((st == ST_OK) == !err.text[0]);
    redis_address_shown(shown, sizeof shown, text);
    FUZZ_CHECK(strlen(shown) < sizeof shown);
    if (st != ST_OK)
        return;
    FUZZ_CHECK((address.path[0] != '\0') != (address.host[0] != '\0') && address.port >= 0 && address.port <= 65535);
    const char *user = *address.user ? address.user : "u@:/%"; /* an address that names one keeps it */
    if (!redis_address_has_password(text) && redis_address_with_login(with, sizeof with, text, "u@:/%", "p@:/?%&")) {
        FUZZ_CHECK(redis_address_parse(&back, with, &err) == ST_OK);
        FUZZ_CHECK(strcmp(back.password, "p@:/?%&") == 0 && strcmp(back.user, user) == 0);
        FUZZ_CHECK(strcmp(back.host, address.host) == 0 && strcmp(back.path, address.path) == 0 &&
                   back.port == address.port && back.db == address.db);
    }
}

static void check_id(const char *text)
{
    char id[ID_SIZE], made[ID_SIZE];
    struct id_parts parts;

    if (!id_read(id, text, strlen(text), &parts))
        return;
    id_make(made, &parts);
    FUZZ_CHECK(strcmp(id, made) == 0 && id_parse(id, ID_LENGTH, &parts));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const checks[])(const char *) = { check_command, check_retry_after, check_address, check_id };
    enum { CHECKS = sizeof checks / sizeof *checks };
    char *text;

    if (size == 0)
        return 0;
    text = xmemdup(data + 1, size - 1);
    checks[data[0] % CHECKS](text);
    free(text);
    return 0;
}
