/* LD_PRELOAD for redis-server: makes a loss of power possible on a machine that keeps running. Each fdatasync (and fsync)
 * of a file of the AOF waits as long as the file BGOP_SYNC_DELAY says (milliseconds, read each time), is done, and then
 * leaves beside the file, in <file>.synced, how long it was when the call began: what a disk would have after a loss of
 * power is at least that and at most what was written. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

typedef int sync_function(int descriptor);

static void wait_for_the_disk(void)
{
    const char *path = getenv("BGOP_SYNC_DELAY");
    FILE *file = path ? fopen(path, "re") : NULL;
    long ms = 0;

    if (file == NULL)
        return;
    if (fscanf(file, "%ld", &ms) == 1 && ms > 0)
        nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
    fclose(file);
}

/* Written beside and renamed: whoever reads it after a SIGKILL finds a whole number. */
static void remember(const char *path, long long size)
{
    char name[600], fresh[610];
    FILE *file;

    snprintf(name, sizeof name, "%s.synced", path);
    snprintf(fresh, sizeof fresh, "%s.new", name);
    file = fopen(fresh, "we");
    if (file == NULL)
        return;
    fprintf(file, "%lld\n", size);
    fclose(file);
    rename(fresh, name);
}

static int synced(const char *function, int descriptor)
{
    sync_function *real = (sync_function *)dlsym(RTLD_NEXT, function);
    char link[64], path[512];
    struct stat before;
    ssize_t size;
    int result;

    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    size = readlink(link, path, sizeof path - 1);
    path[size > 0 ? size : 0] = '\0';
    if (strstr(path, ".aof") == NULL || fstat(descriptor, &before) != 0)
        return real(descriptor);
    wait_for_the_disk();
    result = real(descriptor);
    if (result == 0)
        remember(path, before.st_size);
    return result;
}

int fdatasync(int descriptor)
{
    return synced("fdatasync", descriptor);
}

int fsync(int descriptor)
{
    return synced("fsync", descriptor);
}
