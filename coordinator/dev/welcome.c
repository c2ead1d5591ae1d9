/* What a person, or a script, is told when everything is ready. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/process.h"
#include "coordinator/dev/dev.h"

/* It has the token. */
static FILE *open_private(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    return fd >= 0 ? fdopen(fd, "w") : NULL;
}

static void write_variable(FILE *file, const char *name, const char *value)
{
    struct buf text;

    buf_init(&text, 4 * DEV_TOKEN_SIZE);
    buf_append_shell(&text, value);
    fprintf(file, "%s=%s\n", name, text.data);
    buf_release(&text);
}

/* Written beside and renamed: whoever sees the file sees all of it. */
int dev_write_port_file(const struct dev *dev)
{
    char path[PATH_MAX];
    FILE *file;

    if (!dev->options.port_file)
        return EXIT_OK;
    if (snprintf(path, sizeof path, "%s.%d", dev->options.port_file, (int)getpid()) >= (int)sizeof path)
        return dev_fail(EXIT_FAILED, "--port-file: the path is too long");
    file = open_private(path);
    if (!file)
        return dev_fail(EXIT_FAILED, "--port-file %s: %m", path);
    fprintf(file, "BGOP_KAFKA=%s\nBGOP_REDIS=%s\nBGOP_HTTP=http://%s\n", kafka_mock_brokers(dev->mock), dev->redis_uri,
            dev->config->http_listen);
    write_variable(file, "BGOP_HTTP_TOKEN", dev->http_token);
    if (dev->http_operator_token[0])
        write_variable(file, "BGOP_HTTP_OPERATOR_TOKEN", dev->http_operator_token);
    if (fclose(file) != 0 || rename(path, dev->options.port_file) != 0)
        return dev_fail(EXIT_FAILED, "--port-file %s: %m", dev->options.port_file);
    return EXIT_OK;
}

/* "bgopctl" where that is found, else with its folder, for a shell. */
static const char *bgopctl(const struct dev *dev, struct buf *path)
{
    char whole[PATH_MAX];
    const char *folders = getenv("PATH");
    const char *found = folders ? strstr(folders, dev->programs) : NULL;
    size_t length = strlen(dev->programs);

    if (found && (found == folders || found[-1] == ':') && (!found[length] || found[length] == ':'))
        return "bgopctl";
    snprintf(whole, sizeof whole, "%s/bgopctl", dev->programs);
    buf_append_shell(path, whole);
    return path->data;
}

static void print_box(const char *const *lines, size_t count)
{
    size_t width = 0;

    for (size_t i = 0; i < count; i++)
        width = strlen(lines[i]) > width ? strlen(lines[i]) : width;
    for (size_t i = 0; i <= count + 1; i++) {
        if (i == 0 || i == count + 1) {
            printf("  +-");
            for (size_t k = 0; k < width; k++)
                putchar('-');
            printf("-+\n");
        } else {
            printf("  | %-*s |\n", (int)width, lines[i - 1]);
        }
    }
}

static void print_handlers(const struct dev *dev)
{
    size_t served = 0, noop = 0;

    for (size_t i = 0; i < dev->config->type_count; i++) {
        served += dev->config->types[i].served;
        noop += dev->config->types[i].served && strcmp(dev->config->types[i].handler, "noop") == 0;
    }
    printf("  Workers   %d, serving %zu Types%s\n", dev->options.workers, served,
           served && served == noop ? ", each with the handler noop (completes at once); --config FILE for real ones"
                                    : "");
}

static void print_token(const char *about, const char *path)
{
    struct buf file;

    buf_init(&file, 4 * PATH_MAX);
    buf_append_shell(&file, path);
    printf("%s", about);
    process_show(stdout, file.data, file.size);
    printf(")\n");
    buf_release(&file);
}

static void print_http(const struct dev *dev)
{
    const char *acts = dev->config->http_operator_token_file;

    printf("  HTTP      http://%s/services/data", dev->config->http_listen);
    print_token("    (token: ", dev->config->http_token_file);
    printf("  Page      http://%s/", dev->config->http_listen);
    print_token(acts[0] ? "    (token to act: " : "    (token: ", acts[0] ? acts : dev->config->http_token_file);
}

static void print_logs(const struct dev *dev)
{
    struct buf folder;

    buf_init(&folder, 4 * PATH_MAX);
    buf_append_shell(&folder, dev->folder);
    printf("  Logs      ");
    process_show(stdout, folder.data, folder.size);
    printf("/*.log\n\n");
    buf_release(&folder);
}

void dev_print_welcome(const struct dev *dev)
{
    static const char *const warning[] = {
        "For development only. The broker is a mock inside this process: it keeps about",
        "5 MB per partition, then forgets the oldest without a word. Everything starts",
        "empty each time and is gone when this ends. Real set-up: deploy/up.",
    };
    const char *brokers = kafka_mock_brokers(dev->mock), *ctl;
    struct buf path;

    if (dev->options.quiet)
        return;
    buf_init(&path, 4 * PATH_MAX);
    ctl = bgopctl(dev, &path);
    printf("\nbgop is ready.\n\n  Kafka     %s\n  Redis     %s    (redis-cli -p %d)\n", brokers, dev->redis_uri,
           dev->redis_port);
    print_http(dev);
    print_handlers(dev);
    if (dev->options.verbose)
        printf("  Logs      below\n\n");
    else
        print_logs(dev);
    print_box(warning, sizeof warning / sizeof *warning);
    printf("\nIn another terminal:\n\n"
           "  export BGOP_KAFKA=%s BGOP_REDIS=%s\n"
           "  echo '{\"Type\":\"WebCart\",\"Payload\":\"hello\"}' | kcat -P -b $BGOP_KAFKA -t %s.submit\n"
           "  %s submit --type WebCart --payload hello\n"
           "  %s list\n\nCtrl-C stops everything.\n",
           brokers, dev->redis_uri, dev->config->prefix, ctl, ctl);
    buf_release(&path);
    (void)process_flush();
}
