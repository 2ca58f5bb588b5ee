#include "support/support.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

const char *support_data(const char *name) {
    static char paths[4][4096];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    const char *root = getenv("LR_TEST_DATA");
    snprintf(path, sizeof paths[0], "%s/%s", root ? root : "../shared/data", name);
    if (access(path, R_OK) == 0) return path;
    printf("%s is absent\n", path);
    return NULL;
}

bool support_emulated(void) {
    return getenv("LR_TEST_EMULATED") != NULL;
}

int support_in_child(int (*fn)(void)) {
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(fn());
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) < 100 ? WEXITSTATUS(status) : 100;
}

/* Folders that are still there. A test that fails or is skipped jumps out of itself and leaves its own
 * behind. */
static struct {
    char *folder;
    pid_t maker;
} made[64];
enum { MADE = sizeof made / sizeof *made };

/* Not in a child that exits: what its parent made is still in use. */
static void remove_rest(void) {
    for (size_t i = 0; i < MADE; i++)
        if (made[i].folder && made[i].maker == getpid()) support_remove_folder(made[i].folder);
}

static void note_folder(char *folder) {
    static bool noted;
    size_t i = 0;
    if (!noted) assert_int_equal(atexit(remove_rest), 0);
    noted = true;
    while (i < MADE && made[i].folder) i++;
    assert_true(i < MADE);
    made[i].folder = folder;
    made[i].maker = getpid();
}

char *support_make_folder_below(const char *root) {
    char name[4096];
    snprintf(name, sizeof name, "%s/llm-run-XXXXXX", root);
    assert_non_null(mkdtemp(name));
    char *folder = strdup(name);
    note_folder(folder);
    return folder;
}

char *support_make_folder(void) {
    const char *root = getenv("LR_TEST_TMP");
    return support_make_folder_below(root ? root : "/tmp");
}

static void remove_tree(const char *path) {
    struct stat st;
    DIR *folder = lstat(path, &st) == 0 && S_ISDIR(st.st_mode) ? opendir(path) : NULL;
    if (!folder) {
        unlink(path);
        return;
    }
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        char inner[8192];
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        remove_tree(inner);
    }
    closedir(folder);
    rmdir(path);
}

void support_remove_folder(char *folder) {
    for (size_t i = 0; i < MADE; i++)
        if (made[i].folder == folder) made[i].folder = NULL;
    remove_tree(folder);
    free(folder);
}

void support_write_file(const char *folder, const char *name, const void *data, size_t len) {
    char path[8192];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    if (len) assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

char *support_read_file(const char *path, size_t *len) {
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    char *data = NULL;
    size_t size = 0, cap = 0, got;
    do {
        if (cap - size < 4097) data = realloc(data, cap = 2 * cap + 65536);
        assert_non_null(data);
        got = fread(data + size, 1, cap - size - 1, f);
        size += got;
    } while (got);
    fclose(f);
    data[size] = '\0';
    if (len) *len = size;
    return data;
}

static unsigned count_entries(const char *path) {
    DIR *dir = opendir(path);
    unsigned n = 0;
    assert_non_null(dir);
    while (readdir(dir)) n++;
    closedir(dir);
    return n;
}

struct support_held support_held_now(void) {
    const unsigned alone = 3; /* ".", ".." and this thread */
    unsigned threads = count_entries("/proc/self/task");
    for (int i = 0; i < 20 && threads > alone; i++, threads = count_entries("/proc/self/task"))
        usleep(1000); /* joined, but not yet out of the list */
    return (struct support_held){count_entries("/proc/self/fd"), threads};
}

void support_nothing_more_than(struct support_held before) {
    struct support_held now = support_held_now();
    assert_int_equal(now.files, before.files);
    for (int i = 0; i < 100 && now.threads > before.threads; i++, now = support_held_now()) usleep(1000);
    assert_int_equal(now.threads, before.threads);
}
