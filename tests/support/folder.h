/* A test's temporary folder. */
#ifndef TESTS_SUPPORT_FOLDER_H
#define TESTS_SUPPORT_FOLDER_H

/* With all that is in it; links are not followed. */
void folder_remove(const char *path);

#endif
