#include "tests/support/folder.h"

#include <ftw.h>
#include <stdio.h>

static int entry_remove(const char *path, const struct stat *status, int flag, struct FTW *where)
{
    (void)status, (void)flag, (void)where;
    return remove(path);
}

void folder_remove(const char *path)
{
    nftw(path, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
}
