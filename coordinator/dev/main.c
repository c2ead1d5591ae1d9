/* bgop: one word so far, `bgop dev`. Everything else about a queue is bgopctl's. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/descriptors.h"
#include "common/base/first_process.h"
#include "common/base/process.h"
#include "common/base/text.h"
#include "coordinator/dev/dev.h"
#include "coordinator/dev/dev_line.h"

static const char usage_text[] =
    "Usage: bgop dev [options]\n\n"
    "Runs a whole queue for development: redis-server, a mock Kafka broker, coordinator and worker, in one command.\n"
    "`bgop dev --help` lists the options. To submit, read and steer operations: bgopctl.\n";

static bool has_config(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--config") == 0 || strncmp(argv[i], "--config=", 9) == 0)
            return true;
    }
    return false;
}

/* The embedded configuration, read as if it were a file: below environment and flags. */
static int read_default_config(struct config *config)
{
    char path[64];
    struct err err = ERR_INIT;
    size_t size = strlen(dev_default_config);
    int fd = memfd_create("bgop.ini", MFD_CLOEXEC), code = EXIT_OK;

    if (fd < 0 || write(fd, dev_default_config, size) != (ssize_t)size)
        return dev_fail(EXIT_FAILED, "the embedded configuration cannot be read: %m");
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (config_read_file(config, path, &err) != ST_OK)
        code = dev_fail(EXIT_CONFIG, "the embedded configuration: %s", err.text);
    close(fd);
    return code;
}

static int take_options(struct dev_options *to)
{
    int64_t workers = 1;

    if (dev_words.workers && !text_parse_int64(dev_words.workers, 0, DEV_WORKERS_MAX, &workers)) {
        return dev_fail(EXIT_USAGE_ERROR, "--workers %s: a number from 0 to %d is expected", dev_words.workers,
                        DEV_WORKERS_MAX);
    }
    *to = (struct dev_options){
        .workers = (int)workers,
        .keep = dev_words.keep,
        .port_file = dev_words.port_file,
        .quiet = dev_words.quiet,
        .verbose = dev_words.verbose,
    };
    return EXIT_OK;
}

static int run_dev(int argc, char **argv)
{
    static struct dev dev;
    struct config config;
    int code;

    config_init(&config);
    dev.config = &config;
    code = has_config(argc, argv) ? EXIT_OK : read_default_config(&config);
    if (code == EXIT_OK)
        code = config_command_line(&config, &dev_command_line, &argc, argv);
    if (code < 0 && argc > 0)
        code = dev_fail(EXIT_USAGE_ERROR, "dev takes no word %s; `bgop dev --help` lists the options", argv[0]);
    else if (code < 0 && (code = take_options(&dev.options)) == EXIT_OK)
        code = dev_run(&dev);
    config_release(&config);
    return code;
}

static int run(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "dev") == 0) {
        first_process();
        (void)descriptors_provide(DESCRIPTORS_LEAST); /* and its spare ones: the mock broker's connections */
        memmove(argv + 1, argv + 2, (size_t)(argc - 1) * sizeof *argv);
        return run_dev(argc - 1, argv);
    }
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
        return fputs(usage_text, stdout), EXIT_OK;
    if (argc > 1 && strcmp(argv[1], "--version") == 0)
        return printf("bgop %s\n", BGOP_VERSION), EXIT_OK;
    if (argc > 1) {
        process_complain("bgop", "there is no `bgop %s`; to work with operations: bgopctl %s (see `bgopctl help`)",
                         argv[1], argv[1]);
    }
    fputs(usage_text, stderr);
    return EXIT_USAGE_ERROR;
}

int main(int argc, char **argv)
{
    process_start();
    return process_end("bgop", run(argc, argv));
}
