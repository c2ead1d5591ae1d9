/* pages NAME [bgop.h]: one manual page on standard output. The build calls it for each. */
#include "deploy/man/pages.h"

#include <string.h>

#include "coordinator/daemon/coordinator.h"
#include "deploy/man/roff.h"
#include "worker/daemon/worker.h"

void page_flags(FILE *to, const struct flag *flags, size_t count)
{
    for (size_t i = 0; i < count; i++)
        roff_tagged(to, "--", flags[i].name, flags[i].argument, flags[i].help);
}

void page_environment_log(FILE *to)
{
    roff_tagged(to, "", "BGOP_LOG_LEVEL", NULL, "as level of [log]");
    roff_tagged(to, "", "BGOP_LOG_FORMAT", NULL, "as format of [log]");
}

void page_environment(FILE *to)
{
    roff_section(to, "ENVIRONMENT");
    roff_tagged(to, "", "BGOP_KAFKA", NULL, "bootstrap servers, as --kafka");
    roff_tagged(to, "", "BGOP_REDIS", NULL, "the address of Redis, as --redis");
    page_environment_log(to);
}

void page_exit(FILE *to, const char *more)
{
    static const struct {
        int code;
        const char *meaning;
    } codes[] = {
        { EXIT_OK, "fine" },
        { EXIT_FAILED, "failure" },
        { EXIT_USAGE_ERROR, "wrong usage" },
        { EXIT_UNREACHABLE, "a server is unreachable" },
        { EXIT_CONFIG, "wrong configuration, or another queue's" },
    };
    char number[16];

    roff_section(to, "EXIT STATUS");
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        snprintf(number, sizeof number, "%d", codes[i].code);
        roff_tagged(to, "", number, NULL, codes[i].meaning);
    }
    if (more)
        roff_text(to, more);
}

void page_see_also(FILE *to, const char *self)
{
    static const struct {
        const char *name, *section;
    } pages[] = {
        { "bgop", "1" },
        { "bgopctl", "1" },
        { "libbgop", "3" },
        { "bgop.conf", "5" },
        { "bgop\\-coordinator", "8" },
        { "bgop\\-worker", "8" },
    };
    const char *separator = "";

    roff_section(to, "SEE ALSO");
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        if (strcmp(pages[i].name, self) != 0) {
            fprintf(to, "%s\\fB%s\\fR(%s)", separator, pages[i].name, pages[i].section);
            separator = ",\n";
        }
    }
    fputc('\n', to);
}

/* ---- daemons ---- */
void page_daemon(FILE *to, const struct command_line *line, const char *notes)
{
    struct flag common[CONFIG_COMMON_FLAGS];
    char title[64];

    for (size_t i = 0; i <= strlen(line->program) && i < sizeof title; i++)
        title[i] = (char)(line->program[i] >= 'a' && line->program[i] <= 'z' ? line->program[i] - 'a' + 'A'
                                                                             : line->program[i]);
    config_common_flags(common);
    roff_begin(to, title, "8", line->program, "daemon of the bgop job queue");
    roff_section(to, "SYNOPSIS");
    fprintf(to, "\\fB");
    roff_words(to, line->program, strlen(line->program));
    fprintf(to, "\\fR ");
    roff_words(to, line->usage, strlen(line->usage));
    fputc('\n', to);
    roff_section(to, "DESCRIPTION");
    roff_text(to, line->about);
    if (line->tail)
        roff_text(to, line->tail);
    roff_text(to, notes);
    roff_section(to, "OPTIONS");
    page_flags(to, line->flags, line->flag_count);
    page_flags(to, common, CONFIG_COMMON_FLAGS);
    page_environment(to);
    roff_section(to, "AS A SERVICE");
    roff_text(to,
              "It tells systemd when it is ready, when it stops, what it is doing (systemctl status) and that it lives "
              "(WatchdogSec=). Its log goes to standard error; where the journal reads that, each line has its "
              "priority: journalctl -p warning shows what somebody should look at.");
    page_exit(to, NULL);
}

static void page_coordinator(FILE *to)
{
    page_daemon(
        to, &coordinator_command_line,
        "SIGTERM finishes what is at hand and leaves; a second one means now. When one dies, the others take over "
        "its share; nothing is lost.");
    page_see_also(to, "bgop\\-coordinator");
}

static void page_worker(FILE *to)
{
    page_daemon(
        to, &worker_command_line,
        "Draining: nothing new is claimed, what runs has drain_timeout_ms to end, and what runs then is stopped "
        "and given back. Handlers are configured by Type: see bgop.conf.");
    page_see_also(to, "bgop\\-worker");
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    int wrong = 0;

    if (strcmp(name, "bgopctl.1") == 0)
        page_bgopctl(stdout);
    else if (strcmp(name, "bgop.1") == 0)
        page_dev(stdout);
    else if (strcmp(name, "bgop-coordinator.8") == 0)
        page_coordinator(stdout);
    else if (strcmp(name, "bgop-worker.8") == 0)
        page_worker(stdout);
    else if (strcmp(name, "bgop.conf.5") == 0)
        page_config(stdout);
    else if (strcmp(name, "libbgop.3") == 0 && argc > 2)
        wrong = page_library(stdout, argv[2]);
    else
        wrong = -1;
    if (wrong)
        fprintf(stderr, "pages: cannot make \"%s\"\n", name);
    return wrong || fclose(stdout) != 0;
}
