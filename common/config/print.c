/* --print-config: a file that could be used, when what it hides is written in again. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/process.h"
#include "common/base/text.h"
#include "common/config/options.h"
#include "common/server/redis_address.h"

struct printing {
    FILE *to;
    bool secrets; /* shown */
};

/* ---- secrets ---- */

static bool names_secret(const char *header, size_t size)
{
    static const char *const words[] = { "auth", "cookie", "key", "password", "secret", "token" };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        for (size_t at = 0; at + strlen(words[i]) <= size; at++) {
            if (strncasecmp(header + at, words[i], strlen(words[i])) == 0)
                return true;
        }
    }
    return false;
}

/* "Authorization: Bearer abc | X-Team: carts" */
static void mask_headers(struct buf *to, const char *headers)
{
    while (*headers) {
        size_t size = strcspn(headers, "|"), name = strcspn(headers, ":");

        if (name < size && names_secret(headers, name)) {
            buf_append(to, headers, name);
            buf_append_string(to, headers[size] ? ": *** " : ": ***");
        } else {
            buf_append(to, headers, size);
        }
        headers += size;
        if (*headers)
            buf_append_char(to, *headers++);
    }
}

/* Read back, *** in the address would go over password_file: then no password stands there at all. */
static const char *mask_redis_url(char *to, size_t room, const struct config *config)
{
    const char *url = config->redis_url;

    return config->redis_password_file[0] || strchr(url, '?') ? redis_address_shown(to, room, url)
                                                              : text_url_shown(to, room, url);
}

/* The value as it may be shown, in buf. */
static const char *mask(struct buf *buf, const struct option *option, const void *base, const char *value)
{
    size_t room = strlen(value) + sizeof "***";
    char *masked;

    buf_init(buf, 4 * room + 64);
    if (strcmp(option->name, "headers") == 0) {
        mask_headers(buf, value);
    } else if (strcmp(option->name, "url") == 0 && (masked = buf_extend(buf, room))) {
        return strcmp(option->section, "redis") == 0 ? mask_redis_url(masked, room, base)
                                                     : text_url_shown(masked, room, value);
    } else {
        return value;
    }
    return buf->size ? buf->data : "";
}

/* ---- lines ---- */

static void print_value(const struct option *option, const void *base, const struct printing *printing)
{
    char room[24];
    const char *value = option_get(option, base, room, sizeof room);
    struct buf masked = { 0 };

    if (!printing->secrets)
        value = mask(&masked, option, base, value);
    fprintf(printing->to, value[0] ? "%s = %s\n" : "%s =%s\n", option->name, value);
    buf_release(&masked);
}

/* [types] names what was said there; the rest as comments: its defaults differ by Type. */
static void print_types_option(const struct config *config, const struct option *option,
                               const struct printing *printing)
{
    FILE *to = printing->to;

    if (config->types_default.said & option_bit(option))
        print_value(option, &config->types_default, printing);
    else if (option->initial)
        fprintf(to, option->initial[0] ? ";%s = %s\n" : ";%s =%s\n", option->name, option->initial);
    else
        fprintf(to, ";%s = (each Type's own)\n", option->name);
}

static void print_help(const struct option *option, FILE *to)
{
    fprintf(to, "; %s", option->help);
    if (option->kind == OPTION_INT)
        fprintf(to, " (%lld .. %lld)", (long long)option->min, (long long)option->max);
    else if (option->kind == OPTION_CHOICE)
        fprintf(to, " (%s)", strncmp(option->choices, "- ", 2) == 0 ? option->choices + 2 : option->choices);
    fprintf(to, "\n");
}

static void print_properties(const struct config *config, const struct printing *printing)
{
    for (size_t i = 0; i < config->property_count; i++) {
        const struct kafka_property *property = &config->properties[i];

        if (!printing->secrets && kafka_property_is_secret(property->name))
            fprintf(printing->to, ";%s = ***\n", property->name);
        else
            fprintf(printing->to, property->value[0] ? "%s = %s\n" : "%s =%s\n", property->name, property->value);
    }
}

static void print_type(const struct type_config *type, const struct printing *printing)
{
    fprintf(printing->to, "\n[type %s]\n", type->name);
    for (size_t i = 0; i < option_count; i++) {
        if (option_is_of_types(&options[i]))
            print_value(&options[i], type, printing);
    }
}

static void print(const struct config *config, const struct printing *printing)
{
    const char *section = "";
    FILE *to = printing->to;

    fprintf(to, "; bgop: every option with its value. Order of precedence: defaults, this file, environment, flags.\n");
    for (size_t i = 0; i < option_count; i++) {
        const struct option *option = &options[i];

        if (strcmp(section, option->section) != 0) {
            if (strcmp(section, "kafka") == 0)
                print_properties(config, printing);
            section = option->section;
            fprintf(to, "\n[%s]\n", section);
            if (option_is_of_types(option)) {
                fprintf(to, "; For every Type whose own section below does not say otherwise: what shall be decided "
                            "here is to\n"
                            "; be deleted there.\n");
            }
        }
        print_help(option, to);
        if (option_is_of_types(option))
            print_types_option(config, option, printing);
        else
            print_value(option, config, printing);
    }
    for (size_t i = 0; i < config->type_count; i++) {
        if (!config->types[i].reserved)
            print_type(&config->types[i], printing);
    }
}

void config_print(const struct config *config, FILE *to)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = isatty(fileno(to)) ? open_memstream(&text, &size) : NULL;

    print(config, &(struct printing){ memory ? memory : to, false });
    if (!memory)
        return;
    fclose(memory); /* values are any bytes: a file takes them, a terminal would obey some */
    process_show(to, text, size);
    free(text);
}

void config_write(const struct config *config, FILE *to)
{
    print(config, &(struct printing){ to, true });
}
