/* The folder in which a `bgop dev` lives. */
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/dev/dev.h"

static bool is_empty(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    bool empty = folder;

    while (folder && (entry = readdir(folder)))
        empty = empty && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0);
    if (folder)
        closedir(folder);
    return empty;
}

static int make_kept(struct dev *dev)
{
    if (mkdir(dev->options.keep, 0700) != 0 && errno != EEXIST)
        return dev_fail(EXIT_FAILED, "--keep %s: %m", dev->options.keep);
    if (!is_empty(dev->options.keep)) {
        return dev_fail(EXIT_USAGE_ERROR,
                        "--keep %s: an empty folder is expected (`bgop dev` always starts with an empty queue)",
                        dev->options.keep);
    }
    char *path = realpath(dev->options.keep, NULL);
    int length = path ? snprintf(dev->folder, sizeof dev->folder, "%s", path) : -1;

    free(path);
    return length > 0 && (size_t)length < sizeof dev->folder
               ? EXIT_OK
               : dev_fail(EXIT_FAILED, "--keep %s: the path is too long", dev->options.keep);
}

int dev_make_folder(struct dev *dev)
{
    const char *parent = getenv("TMPDIR");

    if (dev->options.keep)
        return make_kept(dev);
    snprintf(dev->folder, sizeof dev->folder, "%s/bgop-dev-XXXXXX", parent && *parent ? parent : "/tmp");
    if (!mkdtemp(dev->folder))
        return dev_fail(EXIT_FAILED, "no temporary folder %s: %m", dev->folder);
    dev->temporary = true;
    return EXIT_OK;
}

static int remove_entry(const char *path, const struct stat *about, int kind, struct FTW *walk)
{
    (void)about, (void)kind, (void)walk;
    if (remove(path) != 0)
        dev_fail(EXIT_FAILED, "%s stays: %m", path);
    return 0;
}

void dev_remove_folder(struct dev *dev)
{
    if (dev->temporary)
        nftw(dev->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    dev->temporary = false;
}

int dev_write_file(const struct dev *dev, const char *name, const char *text, char *path)
{
    FILE *file;
    bool fine;

    snprintf(path, PATH_MAX, "%s/%s", dev->folder, name);
    file = fopen(path, "we");
    if (!file)
        return dev_fail(EXIT_FAILED, "%s: %m", path);
    fine = fputs(text, file) >= 0 && fflush(file) == 0;
    if (!fine)
        dev_fail(EXIT_FAILED, "%s cannot be written: %m", path);
    fclose(file);
    return fine ? EXIT_OK : EXIT_FAILED;
}
