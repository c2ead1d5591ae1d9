/* What a person, or a script, is told when everything is ready. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/dev/dev.h"

/* Written beside and renamed: whoever sees the file sees all of it. */
int dev_write_port_file(const struct dev *dev)
{
    char path[PATH_MAX];
    FILE *file;

    if (!dev->options.port_file)
        return EXIT_OK;
    if (snprintf(path, sizeof path, "%s.%d", dev->options.port_file, (int)getpid()) >= (int)sizeof path)
        return dev_fail(EXIT_FAILED, "--port-file: the path is too long");
    file = fopen(path, "w");
    if (!file)
        return dev_fail(EXIT_FAILED, "--port-file %s: %m", path);
    fprintf(file, "BGOP_KAFKA=%s\nBGOP_REDIS=%s\n", kafka_mock_brokers(dev->mock), dev->redis_uri);
    if (fclose(file) != 0 || rename(path, dev->options.port_file) != 0)
        return dev_fail(EXIT_FAILED, "--port-file %s: %m", dev->options.port_file);
    return EXIT_OK;
}

/* "bgopctl" where that is found, else with its folder. */
static const char *bgopctl(const struct dev *dev, char *path, size_t room)
{
    const char *folders = getenv("PATH");
    const char *found = folders ? strstr(folders, dev->programs) : NULL;
    size_t length = strlen(dev->programs);

    if (found && (found == folders || found[-1] == ':') && (!found[length] || found[length] == ':'))
        return "bgopctl";
    snprintf(path, room, "%s/bgopctl", dev->programs);
    return path;
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

void dev_print_welcome(const struct dev *dev)
{
    static const char *const warning[] = {
        "For development only. The broker is a mock inside this process: it keeps about",
        "5 MB per partition, then forgets the oldest without a word. Everything starts",
        "empty each time and is gone when this ends. Real set-up: deploy/up.",
    };
    const char *brokers = kafka_mock_brokers(dev->mock), *ctl;
    char path[PATH_MAX];

    if (dev->options.quiet)
        return;
    ctl = bgopctl(dev, path, sizeof path);
    printf("\nbgop is ready.\n\n  Kafka     %s\n  Redis     %s    (redis-cli -p %d)\n", brokers, dev->redis_uri,
           dev->redis_port);
    print_handlers(dev);
    if (dev->options.verbose)
        printf("  Logs      below\n\n");
    else
        printf("  Logs      %s/*.log\n\n", dev->folder);
    print_box(warning, sizeof warning / sizeof *warning);
    printf("\nIn another terminal:\n\n"
           "  export BGOP_KAFKA=%s BGOP_REDIS=%s\n"
           "  echo '{\"Type\":\"WebCart\",\"Payload\":\"hello\"}' | kcat -P -b $BGOP_KAFKA -t %s.submit\n"
           "  %s submit --type WebCart --payload hello\n"
           "  %s list\n\nCtrl-C stops everything.\n", brokers, dev->redis_uri, dev->config->prefix, ctl, ctl);
    fflush(stdout);
}
