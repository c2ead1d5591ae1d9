/* The terminal of `top`: the other screen, keys as they are pressed, and all as it was at the end, also when it is stopped
 * (Ctrl-Z) and goes on. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/process.h"
#include "common/base/text.h"
#include "coordinator/ctl/read/top.h"

enum { SEQUENCE_MS = 50 }; /* the rest of a key that came in two pieces */

/* ---- keys ---- */

/* Behind "ESC [": digits and the like, then the letter that ends it. NULL: it is cut off. */
static const char *sequence_end(const char *at, const char *end)
{
    while (at < end && (*at < '@' || *at > '~'))
        at++;
    return at < end ? at : NULL;
}

static int key_of_letter(char letter)
{
    return letter == 'A' ? KEY_UP : letter == 'B' ? KEY_DOWN : KEY_NOTHING;
}

static int escape_next(const char **at, const char *end)
{
    const char *from = *at, *letter;

    if (end - from < 2) /* the key Esc itself, or the first piece of another */
        return KEY_NOTHING;
    if (from[1] != '[' && from[1] != 'O') {
        *at = from + 2; /* Alt and a letter */
        return KEY_NOTHING;
    }
    letter = sequence_end(from + 2, end);
    if (!letter)
        return KEY_NOTHING;
    *at = letter + 1;
    return letter == from + 2 ? key_of_letter(*letter) : KEY_NOTHING;
}

int key_next(const char **at, const char *end)
{
    char c = **at;

    if (c == '\033')
        return escape_next(at, end);
    ++*at;
    if (c == '\r' || c == '\n')
        return KEY_ENTER;
    return c > 0 ? c : KEY_NOTHING; /* of UTF-8 every byte */
}

/* ---- the terminal ---- */

static struct termios as_it_was;
static bool has_settings;
static volatile sig_atomic_t stopped, suspended;

static void on_signal(int number)
{
    if (number == SIGTSTP)
        suspended = 1;
    else if (number != SIGWINCH)
        stopped = 1;
}

static void screen_enter(void)
{
    struct termios raw;

    has_settings = tcgetattr(STDIN_FILENO, &as_it_was) == 0;
    if (has_settings) {
        raw = as_it_was;
        raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
        raw.c_cc[VMIN] = 1;
        raw.c_cc[VTIME] = 0;
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    fputs("\033[?1049h\033[?25l", stdout); /* the other screen, no cursor */
}

void screen_begin(void)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP };
    struct sigaction action = { .sa_handler = on_signal };

    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &action, NULL);
    screen_enter();
}

void screen_end(void)
{
    fputs("\033[?25h\033[?1049l", stdout);
    (void)process_flush();
    if (has_settings)
        tcsetattr(STDIN_FILENO, TCSANOW, &as_it_was);
}

static void screen_suspend(void)
{
    suspended = 0;
    screen_end();
    raise(SIGSTOP);
    screen_enter();
}

static int terminal_height(void)
{
    struct winsize size;

    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 4 ? size.ws_row : 24;
}

/* Lines above the first that is drawn, so that the marked one is in view. */
static char *skip_lines(char *text, int count)
{
    for (; count > 0 && *text; count--) {
        text += strcspn(text, "\n");
        text += *text == '\n';
    }
    return text;
}

void screen_draw(char *text, int marked, int width, const char *last)
{
    int left = terminal_height() - 1, number = marked >= left ? marked - left + 1 : 0;

    fputs("\033[H", stdout);
    for (char *line = skip_lines(text, number); *line && left > 0; left--, number++) {
        size_t size = strcspn(line, "\n"), drawn = width > 0 ? text_utf8_cut(line, size, (size_t)width) : size;

        printf("\033[K%s%.*s%s%s\n", number == marked ? "\033[7m" : "", (int)drawn, line,
               number == marked ? "\033[0m" : "", width > 0 ? "" : "\033[K");
        line += size + (line[size] == '\n');
    }
    printf("\033[J%s", last);
    (void)process_flush();
}

/* ---- waiting ---- */

static struct {
    char bytes[64];
    size_t size;
} keys;

static int keys_take(void)
{
    while (keys.size > 0) {
        const char *at = keys.bytes;
        int key = key_next(&at, keys.bytes + keys.size);
        size_t used = (size_t)(at - keys.bytes);

        if (used == 0)
            return KEY_NOTHING; /* a sequence whose rest is still to come */
        keys.size -= used;
        memmove(keys.bytes, at, keys.size);
        if (key != KEY_NOTHING)
            return key;
    }
    return KEY_NOTHING;
}

/* false: the terminal is gone. */
static bool keys_read(void)
{
    ssize_t size = read(STDIN_FILENO, keys.bytes + keys.size, sizeof keys.bytes - keys.size);

    if (size < 0)
        return errno == EINTR;
    keys.size += (size_t)size;
    return size > 0;
}

int screen_wait(int64_t ms)
{
    int64_t until_ms = clock_boot_ms() + ms;

    for (;;) {
        struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
        int key = keys_take(), ready;
        int64_t left = until_ms - clock_boot_ms();

        if (key != KEY_NOTHING || stopped)
            return stopped ? KEY_GONE : key;
        if (keys.size > 0 && left > SEQUENCE_MS)
            left = SEQUENCE_MS;
        ready = poll(&input, 1, left > 0 ? (int)left : 0);
        if (suspended) {
            screen_suspend();
            return KEY_NOTHING;
        }
        if (stopped || (ready < 0 && errno != EINTR) || (ready > 0 && !keys_read()))
            return KEY_GONE;
        if (ready == 0 && keys.size > 0)
            keys.size = 0; /* Esc alone */
        else if (ready <= 0)
            return KEY_NOTHING;
    }
}
