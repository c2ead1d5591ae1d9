/* From /proc, as Prometheus' own libraries do it, and under their names. What cannot be read is left out. */
#include "common/metrics/process_metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/redis/redis.h"

struct process_stat {
    long long threads, start_ticks, virtual_bytes, resident_pages;
};

/* Fields 20, 22, 23 and 24 of /proc/self/stat; the second, the name, may hold blanks and parentheses. */
static bool read_stat(struct process_stat *stat)
{
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "re");
    size_t size = file ? fread(text, 1, sizeof text - 1, file) : 0;
    const char *at;

    if (file)
        fclose(file);
    text[size] = '\0';
    at = strrchr(text, ')');
    return at && sscanf(at + 1,
                        " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %lld %*d %lld %lld %lld",
                        &stat->threads, &stat->start_ticks, &stat->virtual_bytes, &stat->resident_pages) == 4;
}

/* Epoch seconds of the system's start, to which start_ticks is relative. */
static double boot_time(void)
{
    return (double)(clock_wall_ms() - clock_boot_ms()) / 1000;
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static int open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    const struct dirent *entry;
    int count = 0;

    if (!folder)
        return -1;
    while ((entry = readdir(folder)))
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count - 1; /* the folder's own */
}

static void put_usage(struct metrics *metrics)
{
    struct process_stat stat;
    struct rusage usage;
    bool known = read_stat(&stat);

    if (getrusage(RUSAGE_SELF, &usage) == 0)
        metrics_put(metrics, METRIC_CPU, seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime), NULL, NULL);
    if (!known)
        return;
    metrics_put(metrics, METRIC_RESIDENT, (double)stat.resident_pages * (double)sysconf(_SC_PAGESIZE), NULL, NULL);
    metrics_put(metrics, METRIC_VIRTUAL, (double)stat.virtual_bytes, NULL, NULL);
    metrics_put(metrics, METRIC_THREADS, (double)stat.threads, NULL, NULL);
    metrics_put(metrics, METRIC_START_TIME, boot_time() + (double)stat.start_ticks / (double)sysconf(_SC_CLK_TCK), NULL,
                NULL);
}

static void put_descriptors(struct metrics *metrics)
{
    struct rlimit limit;
    int open = open_descriptors();

    if (open >= 0)
        metrics_put(metrics, METRIC_OPEN_FDS, open, NULL, NULL);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        metrics_put(metrics, METRIC_MAX_FDS, (double)limit.rlim_cur, NULL, NULL);
}

void process_metrics_put(struct metrics *metrics, const char *program)
{
    static const char *const servers[] = { "kafka", "redis" };
    char text[8];

    metrics_put_kept(metrics, METRIC_ROUND_TRIP, redis_round_trips());
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++)
        metrics_put(metrics, METRIC_OUTAGE, outage_is_on(servers[i], text, sizeof text), servers[i], NULL);
    metrics_put(metrics, METRIC_BUILD, 1, program, BGOP_VERSION);
    put_usage(metrics);
    put_descriptors(metrics);
}
