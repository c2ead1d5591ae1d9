/* bgopctl: finds the command and runs it. */
#include <stdio.h>
#include <string.h>

#include "common/base/process.h"
#include "coordinator/ctl/commands.h"

/* Without a command: --help and --version, or a word about what is missing. */
static int without_command(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--version") == 0) {
            printf("bgopctl %s\n", BGOP_VERSION);
            return EXIT_OK;
        }
        if (strcmp(argv[i], "--print-config") == 0 || strncmp(argv[i], "--config", 8) == 0) {
            struct session session;
            int code;

            session_init(&session);
            code = command_execute(&command_help, &session, argc, argv);
            session_release(&session);
            return code;
        }
    }
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        command_list_print(stdout);
        return EXIT_OK;
    }
    if (argc > 1)
        session_fail(EXIT_USAGE_ERROR, "no command given");
    command_list_print(stderr);
    return EXIT_USAGE_ERROR;
}

static int unknown_command(const char *name)
{
    const char *nearest = command_nearest(name);

    return session_fail(EXIT_USAGE_ERROR, "there is no command %s%s%s%s", name, nearest ? "; did you mean " : "",
                        nearest ? nearest : "", nearest ? "?" : "; `bgopctl help` lists them");
}

static int run(int argc, char **argv)
{
    int position = command_position(argc, argv), code;
    const struct subcommand *command;
    struct session session;

    if (!position || strcmp(argv[position], "-h") == 0)
        return without_command(argc, argv);
    command = command_find_name(argv[position]);
    if (!command)
        return unknown_command(argv[position]);
    memmove(argv + position, argv + position + 1, (size_t)(argc - position) * sizeof *argv); /* with its NULL */
    session_init(&session);
    code = command_execute(command, &session, argc - 1, argv);
    session_release(&session);
    return code;
}

int main(int argc, char **argv)
{
    process_start();
    return process_end("bgopctl", run(argc, argv));
}
