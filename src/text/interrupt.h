/* interrupt.h - the flag that stops the long loops of encoding: a text of megabytes takes seconds. Used by
 * the files of text/ that have such a loop. */
#ifndef LR_TEXT_INTERRUPT_H
#define LR_TEXT_INTERRUPT_H

#include "base/error.h"

/* LR_EINTERRUPTED once `*flag` is not zero; NULL never stops. */
static inline enum lr_status interrupt_check(const volatile int *flag, struct lr_error *err) {
    return flag && *flag ? lr_fail(err, LR_EINTERRUPTED, "interrupted while tokenizing") : LR_OK;
}

#endif
