/* What a key does in `top`: the cursor, why, and what changes something, which is asked first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/ctl/acting.h"
#include "coordinator/ctl/print.h"
#include "coordinator/ctl/read/top.h"
#include "coordinator/ctl/read/why.h"

const char top_keys[] = "q quit  j k move  w why  c cancel  r redrive  p pause its Type  P pause its ParentKey";

/* ---- the cursor ---- */

static size_t lines_count(const struct top *top)
{
    return json_array_size(top->moment.running) + json_array_size(top->moment.failed);
}

static const json_t *line_at(const struct top *top, size_t line)
{
    size_t running = json_array_size(top->moment.running);

    return line < running ? json_array_get(top->moment.running, line)
                          : json_array_get(top->moment.failed, line - running);
}

static void select_line(struct top *top, size_t line)
{
    size_t count = lines_count(top);

    top->line = count == 0 ? 0 : line < count ? line : count - 1;
    snprintf(top->selected, sizeof top->selected, "%s", count == 0 ? "" : acting_text(line_at(top, top->line), "Id"));
}

void top_select(struct top *top)
{
    for (size_t line = 0; top->selected[0] && line < lines_count(top); line++) {
        if (strcmp(acting_text(line_at(top, line), "Id"), top->selected) == 0) {
            top->line = line;
            return;
        }
    }
    select_line(top, top->line);
}

/* The operation under the cursor; NULL: there is none, and that is said. */
static const json_t *selected(struct top *top)
{
    if (top->selected[0])
        return line_at(top, top->line);
    snprintf(top->message, sizeof top->message, "there is no operation to select");
    return NULL;
}

/* ---- why ---- */

static void show_why(struct top *top)
{
    struct err err = ERR_INIT;
    struct ask ask = { .redis = top->session->redis, .err = &err };
    json_t *answer = NULL;
    size_t size;
    FILE *to;

    if (!selected(top))
        return;
    if (ask_function(&ask, &answer, ASK_ALL_SHARDS, "bgop_why", (const char *[]){ top->selected }, 1) != ST_OK) {
        snprintf(top->message, sizeof top->message, "why: %s", shown(err.text));
        return;
    }
    to = open_memstream(&top->shown, &size);
    if (to) {
        why_print(to, top->selected, answer);
        fclose(to);
    }
    json_decref(answer);
}

/* ---- acting ---- */

static void ask_first(struct top *top, enum action_kind kind, bool of_parent)
{
    const json_t *line = selected(top);
    const char *type = acting_text(line, "Type"), *parent = acting_text(line, "ParentKey");

    if (!line)
        return;
    if (of_parent && !*parent) {
        snprintf(top->message, sizeof top->message, "it has no ParentKey");
        return;
    }
    top->question.kind = kind;
    top->question.of_parent = of_parent;
    if (action_is_of_operations(kind)) {
        snprintf(top->question.text, sizeof top->question.text, "%s %s (%.100s%s%.100s)", action_kind_name(kind),
                 top->selected, shown(type), *parent ? ", " : "", shown(parent));
    } else {
        snprintf(top->question.text, sizeof top->question.text, "%s %s %.200s", action_kind_name(kind),
                 of_parent ? "ParentKey" : "Type", shown(of_parent ? parent : type));
    }
    top->question.asked = true;
}

static void act(struct top *top)
{
    const json_t *line = selected(top);
    struct action_request request = { .kind = top->question.kind, .who = acting_who(), .reason = "from bgopctl top" };
    struct err err = ERR_INIT;
    char name[ACTION_ID_SIZE], id[1][ID_SIZE];

    if (!line)
        return;
    memcpy(id[0], top->selected, ID_SIZE);
    if (action_is_of_operations(request.kind)) {
        request.ids = (const char(*)[ID_SIZE])id;
        request.id_count = 1;
    } else if (top->question.of_parent) {
        request.parent_key = acting_text(line, "ParentKey");
    } else {
        request.type = acting_text(line, "Type");
    }
    action_name_make(name);
    if (action_create(top->session->redis, name, &request, &err) != ST_OK) {
        snprintf(top->message, sizeof top->message, "%s: %s", top->question.text, shown(err.text));
        return;
    }
    memcpy(top->action, name, sizeof top->action);
    snprintf(top->action_text, sizeof top->action_text, "%.150s", top->question.text);
    snprintf(top->message, sizeof top->message, "%s: asked for", top->action_text);
}

static void say_action(struct top *top, const json_t *action)
{
    const char *why = acting_text(json_array_get(json_object_get(action, "failures"), 0), "text");

    if (acting_number(action, "failed") > 0 || strcmp(acting_text(action, "state"), "Complete") != 0)
        snprintf(top->message, sizeof top->message, "%s: not done: %.300s", top->action_text,
                 shown(*why ? why : acting_text(action, "error")));
    else
        snprintf(top->message, sizeof top->message, "%s: done (%s)", top->action_text, top->action);
    top->action[0] = '\0';
}

void top_look(struct top *top)
{
    struct err err = ERR_INIT;
    struct ask ask = { .redis = top->session->redis, .err = &err };
    json_t *actions = NULL;

    if (!top->action[0])
        return;
    if (action_show(&ask, top->action, &actions) == ST_OK && json_array_size(actions) > 0) {
        const json_t *action = json_array_get(actions, 0);

        if (strcmp(acting_text(action, "state"), "Running") != 0)
            say_action(top, action);
        else if (json_is_null(json_object_get(action, "coordinator")))
            snprintf(top->message, sizeof top->message, "%s: asked for; no coordinator has taken it up",
                     top->action_text);
    }
    json_decref(actions);
}

/* ---- keys ---- */

static void answer_question(struct top *top, int key)
{
    top->question.asked = false;
    if (key == 'y' || key == 'Y')
        act(top);
    else
        snprintf(top->message, sizeof top->message, "%s: not asked for", top->question.text);
}

bool top_key(struct top *top, int key, bool *look)
{
    *look = false;
    if (top->question.asked) {
        answer_question(top, key);
        return true;
    }
    if (top->shown) {
        free(top->shown);
        top->shown = NULL;
        return key != 'q' && key != 'Q';
    }
    top->message[0] = '\0';
    switch (key) {
    case 'q':
    case 'Q': return false;
    case KEY_UP:
    case 'k': select_line(top, top->line > 0 ? top->line - 1 : 0); break;
    case KEY_DOWN:
    case 'j': select_line(top, top->line + 1); break;
    case KEY_ENTER:
    case 'w': show_why(top); break;
    case 'c': ask_first(top, ACTION_CANCEL, false); break;
    case 'r': ask_first(top, ACTION_REDRIVE, false); break;
    case 'p':
    case 'P': ask_first(top, ACTION_PAUSE, key == 'P'); break;
    default: *look = true;
    }
    return true;
}
