/* LD_PRELOAD: another wall clock. What time, gettimeofday and clock_gettime(CLOCK_REALTIME) answer is shifted by the
 * number of milliseconds (8 bytes, this machine's order) in the file that BGOP_SKEW names; it is mapped, so that a change
 * shows at once. Clocks that nobody sets (monotonic, boot) are as they are. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

typedef int clock_function(clockid_t clock, struct timespec *now);

static clock_function *real_clock;
static const volatile int64_t *offset_ms;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("BGOP_SKEW");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *map;

    real_clock = (clock_function *)dlsym(RTLD_NEXT, "clock_gettime");
    if (file < 0)
        return;
    map = mmap(NULL, sizeof *offset_ms, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (map != MAP_FAILED)
        offset_ms = map;
}

static int shifted(struct timespec *now)
{
    int result = real_clock(CLOCK_REALTIME, now);
    int64_t ns;

    if (result != 0 || offset_ms == NULL)
        return result;
    ns = now->tv_nsec + *offset_ms % 1000 * 1000000;
    now->tv_sec += *offset_ms / 1000;
    if (ns >= 1000000000) {
        ns -= 1000000000;
        now->tv_sec++;
    } else if (ns < 0) {
        ns += 1000000000;
        now->tv_sec--;
    }
    now->tv_nsec = (long)ns;
    return 0;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    if (real_clock == NULL)
        begin();
    return clock == CLOCK_REALTIME ? shifted(now) : real_clock(clock, now);
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec time;

    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &time) != 0)
        return -1;
    now->tv_sec = time.tv_sec;
    now->tv_usec = time.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now)
{
    struct timespec at;
    time_t seconds = clock_gettime(CLOCK_REALTIME, &at) == 0 ? at.tv_sec : (time_t)-1;

    if (now != NULL)
        *now = seconds;
    return seconds;
}
