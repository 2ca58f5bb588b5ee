"""llama.cpp by its C interface and its own defaults: loads a GGUF file mapped and times what it does with it.

usage: peer_llama.py FILE.gguf --tokens N [--depth 0] [--prompt 3] [--rewind P] [--warm] [--threads 2] [--ctx 512]
       peer_llama.py FILE.gguf --start TEXT [--prompt 3] [--threads 2]
       peer_llama.py FILE.gguf --quantise q8_0|q4_0 --to FILE [--threads 2]
                                       (llama-cpp-python; run by scripts/bench_memory.py and scripts/bench_peers.py)

Reads DEPTH tokens, then PROMPT tokens, which are timed, then times greedy tokens: from where the prompt ended, or back at position P. The
first token comes of the prompt, so N tokens are N - 1 timed passes. --warm: all but DEPTH once before, untimed. --start: from an open
interpreter to the first token's text; of TEXT's ids PROMPT are read, so that this is what another vocabulary has. Prints one JSON object.
--quantise: every matrix to the one type (pure). All ids that are read are 1, 2, 3, ...
"""
import argparse
import ctypes
import json
import sys
import time

import llama_cpp
import numpy as np

silent = llama_cpp.llama_log_callback(lambda *_: None)  # kept: the library calls it later


class Model:
    def __init__(self, a):
        begin = time.monotonic()
        self.model = llama_cpp.llama_model_load_from_file(a.file.encode(), llama_cpp.llama_model_default_params())
        params = llama_cpp.llama_context_default_params()
        params.n_ctx, params.n_batch = a.ctx, max(512, a.prompt, a.depth)
        params.n_threads = params.n_threads_batch = a.threads
        self.context = self.model and llama_cpp.llama_init_from_model(self.model, params)
        if not self.context:
            sys.exit(f"peer_llama.py: {a.file} cannot be loaded")
        self.vocab = llama_cpp.llama_model_get_vocab(self.model)
        self.load_s = time.monotonic() - begin

    def read(self, ids):
        tokens = (llama_cpp.llama_token * len(ids))(*ids)
        if llama_cpp.llama_decode(self.context, llama_cpp.llama_batch_get_one(tokens, len(ids))):
            sys.exit("peer_llama.py: llama_decode failed")

    def back_to(self, position):
        llama_cpp.llama_memory_seq_rm(llama_cpp.llama_get_memory(self.context), 0, position, -1)

    def likeliest(self):
        logits = llama_cpp.llama_get_logits_ith(self.context, -1)
        return int(np.ctypeslib.as_array(logits, (llama_cpp.llama_vocab_n_tokens(self.vocab),)).argmax())

    def ids_of(self, text):
        ids = (llama_cpp.llama_token * (len(text) + 8))()
        return ids[:llama_cpp.llama_tokenize(self.vocab, text, len(text), ids, len(ids), True, False)]

    def text_of(self, token):
        piece = ctypes.create_string_buffer(256)
        length = llama_cpp.llama_token_to_piece(self.vocab, token, piece, len(piece), 0, True)
        return piece.raw[:length]


def timed_prompt(model, a):
    begin = time.monotonic()
    model.read(range(1, a.prompt + 1))
    first = model.likeliest()
    return first, time.monotonic() - begin


def timed_tokens(model, first, count):
    tokens, begin = [first], time.monotonic()
    while len(tokens) < count:
        model.read(tokens[-1:])
        tokens.append(model.likeliest())
    return tokens, time.monotonic() - begin


def passes(a):
    model = Model(a)
    if a.depth:
        model.read([1 + i % 1000 for i in range(a.depth)])
    if a.warm:
        timed_tokens(model, timed_prompt(model, a)[0], 2)
        model.back_to(a.depth)
    first, prefill = timed_prompt(model, a)
    if a.rewind is not None:
        model.back_to(a.rewind)
    tokens, decode = timed_tokens(model, first, a.tokens)
    return {"tokens": tokens, "load_s": model.load_s, "prefill_s": prefill, "decode_s": decode, "decode_tok_s": (a.tokens - 1) / decode if decode else 0.0}


def start(a):
    begin = time.monotonic()
    model = Model(a)
    model.read(model.ids_of(a.start.encode())[:a.prompt])
    text = model.text_of(model.likeliest())
    return {"first_token_s": time.monotonic() - begin, "load_s": model.load_s, "text": text.decode(errors="replace")}


def quantise(a):
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = {"q8_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0, "q4_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0}[a.quantise]
    params.pure, params.nthread = True, a.threads
    if llama_cpp.llama_model_quantize(a.file.encode(), a.to.encode(), params):
        sys.exit(f"peer_llama.py: {a.file} cannot be quantised")
    return {"file": a.to}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("file")
    p.add_argument("--tokens", type=int, default=1)
    p.add_argument("--depth", type=int, default=0, help="tokens that are read before, untimed")
    p.add_argument("--prompt", type=int, default=3, help="tokens that are read then, timed")
    p.add_argument("--rewind", type=int, help="the position that tokens are made from")
    p.add_argument("--warm", action="store_true")
    p.add_argument("--start", metavar="TEXT")
    p.add_argument("--quantise", choices=["q8_0", "q4_0"])
    p.add_argument("--to")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--ctx", type=int, default=512)
    a = p.parse_args()
    llama_cpp.llama_log_set(silent, None)
    print(json.dumps(quantise(a) if a.quantise else start(a) if a.start else passes(a)))


if __name__ == "__main__":
    main()
