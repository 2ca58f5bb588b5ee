/* folder.h - a temporary folder that the tests of a program share, or that each has anew: folder_setup and
 * folder_teardown are a group's or a test's. */
#ifndef LR_TESTS_SUPPORT_FOLDER_H
#define LR_TESTS_SUPPORT_FOLDER_H

extern char *folder;

int folder_setup(void **state);
int folder_teardown(void **state);

/* The path of `name` in the folder, valid until the fourth next call. */
const char *at(const char *name);

#endif
