/* process.h - this program once more, in a process of its own: for what must begin from nothing, such as a
 * start that is measured. Used by run/load_trial. */
#ifndef LR_SYS_PROCESS_H
#define LR_SYS_PROCESS_H

#include "base/error.h"
#include "base/str.h"

struct process_result {
    struct lr_buf out;   /* what it wrote on standard output */
    int status;          /* its exit status, or minus the number of the signal that ended it */
    uint64_t disk_bytes; /* that it read from disks, as the kernel counts; 0 also where that does not count */
};

/* Runs it with `words` (argv, the last one NULL), nothing on its standard input and, if `quiet`, its standard
 * error going nowhere, and waits for its end. While `*interrupt` (may be NULL) is not 0 it is asked to end,
 * once, by SIGTERM. LR_EFAILED where it cannot be started. Whatever is returned, the result is to be freed
 * with process_free. */
enum lr_status process_run_again(char *const *words, bool quiet, const volatile int *interrupt,
                                 struct process_result *out, struct lr_error *err);
void process_free(struct process_result *result);

#endif
