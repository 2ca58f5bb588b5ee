"""mistral.rs: loads a model directory, then times greedy tokens.

usage: peer_mistral.py MODEL_DIR --tokens N [--threads 2]                     (mistralrs; run by scripts/bench_peers.py)

N tokens and one token are asked for after the same short prompt; the difference is the time of N - 1 passes. Prints one JSON object; the library's
own lines, which it writes to standard output, go to standard error.
"""
import argparse
import json
import os
import resource
import time


def main():
    p = argparse.ArgumentParser()
    p.add_argument("model")
    p.add_argument("--tokens", type=int, required=True)
    p.add_argument("--threads", type=int, default=2)
    a = p.parse_args()
    os.environ.update(RAYON_NUM_THREADS=str(a.threads), HF_HUB_OFFLINE="1")  # before the library looks
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import mistralrs
    begin = time.monotonic()
    runner = mistralrs.Runner(which=mistralrs.Which.Plain(model_id=os.path.abspath(a.model)), prefix_cache_n=0)
    loaded = time.monotonic()

    def seconds(tokens):
        request = mistralrs.CompletionRequest(model="default", prompt="word", max_tokens=tokens, temperature=0.0, ignore_eos=True)
        start = time.monotonic()
        made = runner.send_completion_request(request).usage.completion_tokens
        if made != tokens:
            raise SystemExit(f"peer_mistral.py: {made} tokens of {tokens}")
        return time.monotonic() - start

    seconds(2)  # what comes first is not counted
    one, all_of_them = seconds(1), seconds(a.tokens)
    print(json.dumps({"load_s": loaded - begin, "decode_tok_s": (a.tokens - 1) / (all_of_them - one),
                      "peak_rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}), file=answer, flush=True)


if __name__ == "__main__":
    main()
