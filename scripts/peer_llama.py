"""llama.cpp: loads a GGUF file mapped, reads the ids 1 to PROMPT, then times greedy tokens.

usage: peer_llama.py FILE.gguf --tokens N [--prompt 3] [--threads 2] [--ctx 512]
                                       (llama-cpp-python; run by scripts/bench_memory.py and scripts/bench_peers.py)

The first token comes of the prompt, so N tokens are N - 1 timed passes. Prints one JSON object.
"""
import argparse
import json
import time

import llama_cpp
import numpy as np


def main():
    p = argparse.ArgumentParser()
    p.add_argument("file")
    p.add_argument("--tokens", type=int, required=True)
    p.add_argument("--prompt", type=int, default=3, help="tokens that are read before")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--ctx", type=int, default=512)
    a = p.parse_args()
    begin = time.monotonic()
    llm = llama_cpp.Llama(a.file, n_ctx=a.ctx, n_batch=max(512, a.prompt), n_threads=a.threads, n_threads_batch=a.threads, use_mmap=True, verbose=False)
    loaded = time.monotonic()

    def likeliest():
        logits = llama_cpp.llama_get_logits_ith(llm.ctx, -1)
        return int(np.ctypeslib.as_array(logits, (llm.n_vocab(),)).argmax())

    llm.eval(list(range(1, a.prompt + 1)))
    tokens = [likeliest()]
    start = time.monotonic()
    for _ in range(a.tokens - 1):
        llm.eval(tokens[-1:])
        tokens.append(likeliest())
    decode = time.monotonic() - start
    print(json.dumps({"tokens": tokens, "load_s": loaded - begin, "prefill_s": start - loaded, "decode_s": decode,
                      "decode_tok_s": (a.tokens - 1) / decode if decode else 0.0}))


if __name__ == "__main__":
    main()
