#include "support/folder.h"

#include "support/support.h"

char *folder;

int folder_setup(void **state) {
    (void)state;
    folder = support_make_folder();
    return 0;
}

int folder_teardown(void **state) {
    (void)state;
    support_remove_folder(folder);
    return 0;
}

const char *at(const char *name) {
    static char paths[4][4352];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}
