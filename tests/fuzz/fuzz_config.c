/* A configuration file: what is refused names its line, and what is accepted comes back when it is written. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/config/config.h"
#include "tests/fuzz/fuzz.h"

static enum status read_bytes(struct config *config, const void *data, size_t size, struct err *err)
{
    char path[32];
    int fd = memfd_create("configuration", MFD_CLOEXEC);
    enum status st;

    FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    config_init(config);
    st = config_read_file(config, path, err);
    close(fd);
    return st;
}

static char *write_text(const struct config *config, void (*write)(const struct config *, FILE *), size_t *size)
{
    char *text = NULL;
    FILE *file = open_memstream(&text, size);

    FUZZ_CHECK(file);
    write(config, file);
    fclose(file);
    return text;
}

static void check_round_trip(const struct config *config)
{
    struct config back;
    struct err err = ERR_INIT;
    size_t size, back_size;
    char *text = write_text(config, config_write, &size), *again;

    if (read_bytes(&back, text, size, &err) != ST_OK)
        fprintf(stderr, "%s\n%s\n", err.text, text);
    FUZZ_CHECK(err.status == ST_OK);
    again = write_text(&back, config_write, &back_size);
    FUZZ_CHECK(size == back_size && memcmp(text, again, size) == 0);
    free(text);
    free(again);
    config_release(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config config;
    struct err err = ERR_INIT;
    size_t printed;

    if (read_bytes(&config, data, size, &err) != ST_OK) {
        FUZZ_CHECK(err.status == ST_INVALID && strncmp(err.text, "/proc/self/fd/", 14) == 0);
        for (const char *c = err.text; *c; c++) /* one line; how it is shown, process_complain sees to */
            FUZZ_CHECK((unsigned char)*c >= ' ' && *c != 0x7f);
    } else if (!config.redis_password_file[0] && config_check(&config, &err) == ST_OK) { /* opens that file */
        check_round_trip(&config);
        free(write_text(&config, config_print, &printed));
    }
    config_release(&config);
    return 0;
}
