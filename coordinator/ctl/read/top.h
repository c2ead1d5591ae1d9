/* What the files of `top` share: what was read at one moment, how it looks, the terminal, what a key does. */
#ifndef BGOP_COORDINATOR_CTL_READ_TOP_H
#define BGOP_COORDINATOR_CTL_READ_TOP_H

#include "common/action/action.h"
#include "coordinator/ctl/session.h"

/* ---- top_moment.c ---- */
struct moment {
    json_t *stats, *running, *failed; /* running: the longest first; failed for good: the newest first */
    int64_t at_ms;
};
void moment_release(struct moment *moment);
int moment_read(struct moment *moment, struct session *session);
void moment_print(const struct moment *moment, const struct moment *before, FILE *to, int width);
void moment_print_json(const struct moment *moment);

/* ---- top_screen.c ---- */
enum key { KEY_NOTHING = 0, KEY_UP = 256, KEY_DOWN, KEY_ENTER, KEY_GONE }; /* else the character itself */
/* The next key of what a terminal sent, from *at on: a letter, an arrow; sequences of other keys are KEY_NOTHING, and never
 * taken for the letters in them. *at is moved behind it; it stays when a sequence is cut off in the middle. */
int key_next(const char **at, const char *end);

void screen_begin(void);
void screen_end(void);
/* The text, a line of it in reverse (-1: none) and kept in view, and below it the last line. width: what is longer is
 * cut; 0: the terminal breaks it. */
void screen_draw(char *text, int marked, int width, const char *last);
/* Waits so long for a key; KEY_NOTHING: the time is up (or the window has another size); KEY_GONE: to be left. */
int screen_wait(int64_t ms);

/* ---- top_act.c ---- */
struct top {
    struct session *session;
    struct moment before, moment;
    char selected[ID_SIZE]; /* "": nothing to select */
    size_t line;            /* of those that can be selected */
    char message[600];      /* of what was done last */
    char *shown;            /* a text instead of the moment, until a key is pressed; owned, NULL: none */
    struct {
        bool asked; /* a question is open; the next key answers it */
        enum action_kind kind;
        bool of_parent;
        char text[400];
    } question;
    char action[ACTION_ID_SIZE]; /* asked for last, until it has ended; "": none */
    char action_text[160];       /* what it does */
};
/* false: q. *look: at once. */
bool top_key(struct top *top, int key, bool *look);
/* The cursor stays on its operation as long as that is there. */
void top_select(struct top *top);
/* How far is what was asked for? */
void top_look(struct top *top);
/* "w why  c cancel ..." */
extern const char top_keys[];

#endif
