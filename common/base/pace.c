#include "common/base/pace.h"

static const struct step {
    size_t per_s;
    int gather_ms;
} steps[] = { { 8000, 20 }, { 3000, 5 } };

void pace_count(struct pace *pace, size_t count, int64_t now_ms)
{
    int64_t window = now_ms / PACE_WINDOW_MS;

    if (window != pace->window) {
        pace->last = window == pace->window + 1 ? pace->count : 0;
        pace->count = 0;
        pace->window = window;
    }
    pace->count += count;
}

int pace_gather_ms(struct pace *pace, int64_t now_ms)
{
    pace_count(pace, 0, now_ms);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (pace->last * 1000 / PACE_WINDOW_MS >= steps[i].per_s)
            return steps[i].gather_ms;
    }
    return 0;
}
