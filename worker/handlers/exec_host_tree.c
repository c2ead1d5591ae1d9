#include "worker/handlers/exec_host_tree.h"

#include <dirent.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Processes still to be looked at. */
struct walk {
    pid_t pids[EXEC_HOST_TREE_MOST];
    int count;
};

static FILE *open_proc(const char *format, ...) __attribute__((format(printf, 1, 2)));
static FILE *open_proc(const char *format, ...)
{
    char path[128];
    va_list args;

    va_start(args, format);
    vsnprintf(path, sizeof path, format, args);
    va_end(args);
    return fopen(path, "re");
}

static void add_children(struct walk *walk, pid_t pid, const char *thread)
{
    FILE *file = open_proc("/proc/%d/task/%.20s/children", (int)pid, thread);
    int child;

    if (!file)
        return; /* it has just ended */
    while (walk->count < EXEC_HOST_TREE_MOST && fscanf(file, "%d", &child) == 1)
        walk->pids[walk->count++] = child;
    fclose(file);
}

/* Its threads, and the children that each of them has. */
static int64_t visit_threads(struct walk *walk, pid_t pid)
{
    char path[32];
    const struct dirent *entry;
    int64_t threads = 0;
    DIR *folder;

    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    folder = opendir(path);
    while (folder && (entry = readdir(folder))) {
        if (entry->d_name[0] == '.')
            continue;
        threads++;
        add_children(walk, pid, entry->d_name);
    }
    if (folder)
        closedir(folder);
    return threads;
}

static void add_memory(struct exec_host_use *use, pid_t pid)
{
    FILE *file = open_proc("/proc/%d/statm", (int)pid);
    long resident, shared;

    if (file && fscanf(file, "%*s %ld %ld", &resident, &shared) == 2 && resident > shared)
        use->memory_bytes += (int64_t)(resident - shared) * sysconf(_SC_PAGESIZE);
    if (file)
        fclose(file);
}

/* Its own and that of its children which have ended. Its name, in brackets, may hold anything. */
static void add_cpu(struct exec_host_use *use, pid_t pid)
{
    FILE *file = open_proc("/proc/%d/stat", (int)pid);
    char line[1024] = "";
    long user, kernel, childrens_user, childrens_kernel;
    const char *rest;

    if (!file)
        return;
    rest = fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
    if (rest && sscanf(rest, ") %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %ld %ld %ld %ld", &user, &kernel,
                       &childrens_user, &childrens_kernel) == 4)
        use->cpu_ms += (user + kernel + childrens_user + childrens_kernel) * 1000 / sysconf(_SC_CLK_TCK);
    fclose(file);
}

static int64_t milliseconds(struct timeval time)
{
    return time.tv_sec * 1000 + time.tv_usec / 1000;
}

void exec_host_look(struct exec_host_use *use, int64_t most_tasks, bool all)
{
    static struct walk walk;
    struct rusage ended;
    pid_t pid = getpid();

    memset(use, 0, sizeof *use);
    walk.count = 0;
    if (all && getrusage(RUSAGE_CHILDREN, &ended) == 0)
        use->cpu_ms = milliseconds(ended.ru_utime) + milliseconds(ended.ru_stime);
    visit_threads(&walk, pid);
    while (walk.count > 0 && use->tasks <= most_tasks) {
        pid = walk.pids[--walk.count];
        use->tasks += visit_threads(&walk, pid);
        if (all) {
            add_memory(use, pid);
            add_cpu(use, pid);
        }
    }
}

bool exec_host_kill_children(void)
{
    FILE *file = open_proc("/proc/self/task/%d/children", (int)getpid());
    bool any = false;
    int pid;

    while (file && fscanf(file, "%d", &pid) == 1)
        any |= kill(pid, SIGKILL) == 0;
    if (file)
        fclose(file);
    return any;
}
