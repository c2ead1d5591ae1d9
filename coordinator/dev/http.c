/* The coordinator's HTTP endpoint: where it listens and its token, both made here unless the configuration has them. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "coordinator/dev/dev.h"

/* Of the form that the sf command line takes: "00D", 12 letters or digits, "!", and more of them. */
static int make_token(char token[DEV_TOKEN_SIZE])
{
    unsigned char random[24];
    char *to = token + snprintf(token, DEV_TOKEN_SIZE, "00Dxx0000000001!");

    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return dev_fail(EXIT_FAILED, "no random numbers: %m");
    for (size_t i = 0; i < sizeof random; i++)
        to += snprintf(to, (size_t)(token + DEV_TOKEN_SIZE - to), "%02x", random[i]);
    return EXIT_OK;
}

static int write_token(const char *token, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool fine = fd >= 0 && dprintf(fd, "%s\n", token) > 0;

    if (!fine)
        dev_fail(EXIT_FAILED, "%s: %m", path);
    if (fd >= 0)
        close(fd);
    return fine ? EXIT_OK : EXIT_FAILED;
}

/* What is no token the coordinator will say. */
static int read_token(char token[DEV_TOKEN_SIZE], const char *option, const char *path)
{
    FILE *file = fopen(path, "re");

    if (!file)
        return dev_fail(EXIT_CONFIG, "[http] %s: %s: %m", option, path);
    if (!fgets(token, DEV_TOKEN_SIZE, file))
        token[0] = '\0';
    token[strcspn(token, "\r\n")] = '\0';
    fclose(file);
    return EXIT_OK;
}

static int set(struct dev *dev, const char *name, const char *value)
{
    struct err err = ERR_INIT;

    return config_set(dev->config, "http", name, value, &err) == ST_OK ? EXIT_OK
                                                                       : dev_fail(EXIT_FAILED, "%s", err.text);
}

/* Port 0 is any, and clients must know which. */
static int choose_port(struct dev *dev)
{
    const char *listen = dev->config->http_listen[0] ? dev->config->http_listen : "127.0.0.1:0";
    size_t host = strlen(listen) - 1;
    char chosen[300];

    if (strcmp(listen + host - 1, ":0") != 0)
        return EXIT_OK;
    snprintf(chosen, sizeof chosen, "%.*s%d", (int)host, listen, dev_free_port());
    return set(dev, "listen", chosen);
}

static int new_token(struct dev *dev, char token[DEV_TOKEN_SIZE], const char *option, const char *name)
{
    char path[PATH_MAX];
    int code = make_token(token);

    snprintf(path, sizeof path, "%s/%s", dev->folder, name);
    if (code == EXIT_OK)
        code = write_token(token, path);
    return code == EXIT_OK ? set(dev, option, path) : code;
}

int dev_prepare_http(struct dev *dev)
{
    const char *reads = dev->config->http_token_file, *acts = dev->config->http_operator_token_file;
    bool given = reads[0] != '\0';
    int code = choose_port(dev);

    if (code == EXIT_OK && given)
        code = read_token(dev->http_token, "token_file", reads);
    else if (code == EXIT_OK)
        code = new_token(dev, dev->http_token, "token_file", "http-token");
    if (code == EXIT_OK && acts[0])
        return read_token(dev->http_operator_token, "operator_token_file", acts);
    if (code != EXIT_OK || given)
        return code; /* who names one token and not the other wants nobody to act */
    return new_token(dev, dev->http_operator_token, "operator_token_file", "http-operator-token");
}
