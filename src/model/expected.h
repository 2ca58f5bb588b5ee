/* expected.h - the tensors that a spec asks for, before any file is there: what --plan goes by while a model
 * is not downloaded yet. */
#ifndef LR_MODEL_EXPECTED_H
#define LR_MODEL_EXPECTED_H

#include "model/spec.h"
#include "weights/catalog.h"

/* A catalog of every role's tensor, in `dtype` or, of the layers' matrices, in fp8, under the usual names;
 * bind_model() finds them all. */
enum lr_status expected_catalog(const struct model_spec *spec, enum lr_dtype dtype, bool fp8,
                                struct catalog *out, struct lr_error *err);

#endif
