/* llama.h - writes a Llama of 34 MB in bf16: large enough that a part of it does not fit. */
#ifndef LR_TESTS_SUPPORT_LLAMA_H
#define LR_TESTS_SUPPORT_LLAMA_H

enum { LLAMA_VOCAB = 7000, LLAMA_CONTEXT = 256, LLAMA_LAYERS = 4 };

/* Writes config.json and the weights into the folder, in one file or in two. Where `second` is not NULL the
 * second file stands in that folder, and a link to it in the model's. */
void support_make_llama(const char *folder, int shards, const char *second);
/* The same shape in one file, the layers' matrices in e4m3 with a scale for each block of 128 x 128. */
void support_make_fp8_llama(const char *folder);

#endif
