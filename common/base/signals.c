#include "common/base/signals.h"

#include <stddef.h>

static const int stops[] = { SIGTERM, SIGINT, SIGQUIT, SIGPWR, SIGHUP };
/* And the real-time signals. SIGPIPE is not of these: every program of ours ignores it. */
static const int pointless[] = { SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGSTKFLT, SIGXFSZ };
enum { STOPS = sizeof stops / sizeof *stops, POINTLESS = sizeof pointless / sizeof *pointless };

static void (*stop_asked)(bool now);
static volatile sig_atomic_t asked;

static void on_signal(int number)
{
    bool now = asked && number != SIGHUP;

    if (number != SIGHUP)
        asked = 1;
    stop_asked(now);
}

/* nohup. */
static bool is_ignored(int number)
{
    struct sigaction action;

    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static void set(int number, void (*handler)(int))
{
    struct sigaction action = { .sa_handler = handler };

    sigemptyset(&action.sa_mask);
    if (number != SIGHUP || !is_ignored(SIGHUP))
        sigaction(number, &action, NULL);
}

static void set_pointless(void (*handler)(int))
{
    for (size_t i = 0; i < POINTLESS; i++)
        set(pointless[i], handler);
    for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
        set(number, handler);
}

void signals_catch(void (*on_stop)(bool now))
{
    stop_asked = on_stop;
    for (size_t i = 0; i < STOPS; i++)
        set(stops[i], on_signal);
    set_pointless(SIG_IGN);
}

void signals_ignore(void)
{
    for (size_t i = 0; i < STOPS; i++)
        set(stops[i], SIG_IGN);
    set_pointless(SIG_IGN);
}

void signals_add_stops(sigset_t *to)
{
    for (size_t i = 0; i < STOPS; i++) {
        if (stops[i] != SIGHUP || !is_ignored(SIGHUP)) /* a blocked signal is kept even when it is ignored */
            sigaddset(to, stops[i]);
    }
    set_pointless(SIG_IGN);
}

void signals_restore(void)
{
    for (size_t i = 0; i < STOPS; i++)
        set(stops[i], SIG_DFL);
    set_pointless(SIG_DFL);
}
