/* completion: a script for the shell, on standard output. */
#include <string.h>

#include "coordinator/ctl/completion/completion.h"

static int run(struct session *session, int count, char **operands)
{
    (void)session, (void)count;
    if (strcmp(operands[0], "bash") == 0)
        return completion_print_bash(stdout), EXIT_OK;
    if (strcmp(operands[0], "zsh") == 0)
        return completion_print_zsh(stdout), EXIT_OK;
    return session_fail(EXIT_USAGE_ERROR, "completion %s: there is none for that; there is for: %s", operands[0],
                        completion_shells);
}

const struct subcommand command_completion = {
    .name = "completion",
    .usage = "bash|zsh",
    .about = "a script that completes bgopctl's words in your shell",
    .help =
        "bash: source <(bgopctl completion bash), in ~/.bashrc. zsh: source <(bgopctl completion zsh), in ~/.zshrc\n"
        "behind compinit. A package puts both where the shells look by themselves.",
    .min_operands = 1,
    .max_operands = 1,
    .first_operand = OPERAND_SHELL,
    .run = run,
};
