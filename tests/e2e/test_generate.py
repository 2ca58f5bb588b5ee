"""Generation as a user and a script see it: bytes on stdout, everything else on stderr, exit statuses, JSON."""
import ctypes
import json
import mmap
import os
import pty
import re
import shutil
import signal
import subprocess
import time

import pytest

from conftest import GOLDEN, command, copy_golden, letter_ids, llm_run, refused, shared_model


def golden_greedy(case):
    golden = json.loads((GOLDEN / case / "golden.json").read_text())
    greedy = golden["greedy"][0]
    return golden["prompts"][greedy["prompt"]]["ids"], greedy["ids"]


@pytest.mark.parametrize("case", ["llama_gqa", "mistral_window", "qwen2", "qwen3", "llama_rope_yarn", "shards_index"])
def test_greedy_ids_are_the_references(case, tmp_path):
    folder = copy_golden(case, tmp_path / case)
    prompt, expected = golden_greedy(case)
    run = llm_run("--greedy", "--precise", "--ignore-eos", "-n", str(len(expected)), "--ids", folder,
                  ",".join(map(str, prompt)))
    assert run.status == 0, run
    assert [int(n) for n in run.out.split()] == expected


def test_story_model_tells_the_references_story():
    folder = shared_model("story-llama-hf")
    text = (folder / "EXPECTED_greedy_numpy_f64.txt").read_text()
    assert text  # its form is described in the file; the golden tests in C compare it
    run = llm_run("--greedy", "-n", "20", folder, "Once upon a time")
    assert run.status == 0 and run.out.strip(), run


def test_text_alone_goes_to_stdout(tiny):
    run = llm_run("--greedy", "-n", "8", tiny, "hello")
    plain = llm_run("--greedy", "-n", "8", "-q", tiny, "hello")
    assert run.status == plain.status == 0
    assert run.out == plain.out and run.out
    assert plain.err == ""
    assert re.search(r"8 tokens, [\d.]+ tok/s; prompt 6 tokens, .* tok/s; first token after [\d.]+ s; peak memory \d+ MB, "
                     r"mapped weights included$", run.lines[-1]), run
    assert re.search(r"included; seed \d+$", llm_run("--temp", "1", "-n", "8", tiny, "hello").lines[-1])


def test_the_summary_has_a_line_of_its_own_where_both_go_to_one_place(tiny):
    text = llm_run("--greedy", "-n", "8", "-q", tiny, "hello").out
    both = subprocess.run(command("--greedy", "-n", "8", tiny, "hello"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
    assert re.sub(rb"^\[Mem.*\n", b"", both, flags=re.M).startswith(text + b"\nllm-run: 8 tokens"), both


def test_no_newline_is_added_but_on_a_terminal(tiny):
    plain = llm_run("--greedy", "-n", "8", "-q", tiny, "hello").out
    leader, follower = pty.openpty()
    with subprocess.Popen(command("--greedy", "-n", "8", "-q", tiny, "hello"), stdout=follower, stdin=subprocess.DEVNULL) as p:
        p.wait(60)
    os.close(follower)
    seen = b""
    try:
        while piece := os.read(leader, 65536):
            seen += piece
    except OSError:
        pass
    os.close(leader)
    assert seen.replace(b"\r\n", b"\n") == plain + (b"" if plain.endswith(b"\n") else b"\n")


def test_json_has_the_keys_that_are_promised(tiny):
    run = llm_run("--json", "--greedy", "-n", "8", "--seed", "11", tiny, "hello")
    answer = run.json()
    assert run.status == 0
    assert answer["text"].encode() == llm_run("-q", "--greedy", "-n", "8", tiny, "hello").out
    assert len(answer["tokens"]) == answer["completion_tokens"] == 8
    assert answer["finish_reason"] == "length" and answer["prompt_tokens"] == 6 and answer["seed"] == 11
    assert set(answer["timings"]) >= {"load_s", "prefill_s", "decode_s", "prefill_tok_s", "decode_tok_s", "first_token_s"}
    assert set(answer["memory"]) >= {"budget", "weights_mapped", "weights_pinned", "weights_streamed", "kv", "work", "peak_rss"}
    assert answer["timings"]["first_token_s"] >= answer["timings"]["load_s"] > 0
    assert answer["memory"]["peak_rss"] > 1 << 20
    assert "logprobs" not in answer


def test_logprobs_agree_with_score(tiny):
    answer = llm_run("--json", "--greedy", "-n", "6", "--logprobs", "3", "--precise", tiny, "hello").json()
    assert [e["token"] for e in answer["logprobs"]] == answer["tokens"]
    for entry in answer["logprobs"]:
        assert len(entry["top"]) == 3 and entry["top"][0] == {"token": entry["token"], "logprob": entry["logprob"]}
        assert [t["logprob"] for t in entry["top"]] == sorted((t["logprob"] for t in entry["top"]), reverse=True)
    ids = [1, *letter_ids("hello"), *answer["tokens"]]
    scored = llm_run("--json", "--score", "--ids", "--precise", tiny, ",".join(map(str, ids))).json()
    for entry, logprob in zip(answer["logprobs"], scored["logprobs"][6:]):
        assert entry["logprob"] == pytest.approx(logprob, abs=1e-4)


def test_the_same_seed_gives_the_same_text(tiny):
    texts = {llm_run("-q", "-n", "24", "--temp", "1", "--seed", "5", *more, tiny, "hello").out
             for more in ([], ["-T", "1"], ["-T", "3"], ["--prefill-chunk", "1"], ["--prefill-chunk", "4"], ["--mem-limit", "100M"],
                          ["-c", "64"])}
    assert len(texts) == 1
    others = {llm_run("-q", "-n", "24", "--temp", "1", "--seed", str(s), tiny, "hello").out for s in range(5)}
    assert len(others) > 1


def test_a_drawn_seed_is_reported_and_gives_the_text_again(tiny):
    first = llm_run("-n", "24", "--temp", "1", tiny, "hello")
    seed = re.search(r"seed (\d+)$", first.lines[-1]).group(1)
    assert llm_run("-q", "-n", "24", "--temp", "1", "--seed", seed, tiny, "hello").out == first.out


def test_bits_do_not_depend_on_threads_and_chunks(tiny):
    outs = set()
    for threads in "123":
        for chunk in ("1", "7", "64", "65536"):
            answer = llm_run("--json", "--greedy", "-n", "4", "--logprobs", "5", "--matmul", "native", "-T", threads,
                             "--prefill-chunk", chunk, tiny, "the prompt is longer than one chunk of seven").json()
            outs.add(json.dumps([answer["tokens"], answer["logprobs"]]))
    assert len(outs) == 1


@pytest.mark.parametrize("isa", [(), ("--isa", "generic")])
def test_ids_do_not_depend_on_threads_and_chunks_under_auto(demo, isa):
    """With the generic kernels OpenBLAS takes the longer chunks of this prompt, and none that are shorter than four."""
    prompt = "Once upon a time, a little boy called Ned lived in a little town. One warm afternoon, Ned wanted to learn to ride. " * 3
    answers = {tuple(llm_run("--json", "--greedy", "-n", "16", "-T", threads, "--prefill-chunk", chunk, *isa, demo, prompt).json()["tokens"])
               for threads in "123" for chunk in ("1", "7", "64", "65536")}
    assert len(answers) == 1


def test_echo_comes_first(tiny):
    alone = llm_run("-q", "--greedy", "-n", "4", tiny, "hello").out
    assert llm_run("-q", "--greedy", "-n", "4", "--echo", tiny, "hello").out == b"hello" + alone
    ids = llm_run("-q", "--greedy", "-n", "4", "--ids", "--echo", tiny, "1 5 6").out.split()
    assert ids[:3] == [b"1", b"5", b"6"] and len(ids) == 7
    assert llm_run("--json", "--greedy", "-n", "4", "--echo", tiny, "hello").json()["text"].startswith("hello")


def test_prompt_from_stdin_and_file(tiny, tmp_path):
    (tmp_path / "prompt").write_bytes(b"hello\n")
    expected = llm_run("-q", "--greedy", "-n", "4", tiny, "hello").out
    assert llm_run("-q", "--greedy", "-n", "4", tiny, stdin=b"hello\n").out == expected
    assert llm_run("-q", "--greedy", "-n", "4", tiny, "-", stdin=b"hello").out == expected
    assert llm_run("-q", "--greedy", "-n", "4", tiny, "-f", tmp_path / "prompt").out == expected
    two = llm_run("--json", "--greedy", "-n", "4", tiny, stdin=b"hello\n\n").json()
    assert two["prompt_tokens"] == 7  # one newline is dropped, not two
    assert llm_run("-q", "--greedy", "-n", "4", "--ids", tiny, stdin=b"1,2\n 3\t4\n").status == 0


def test_a_prompt_of_many_bytes_through_a_pipe(tiny):
    refused(llm_run(tiny, stdin=b"a" * 3_000_000), 2, "3000001", "256")


def test_stop_strings_are_not_printed(tiny):
    text = llm_run("-q", "--greedy", "-n", "40", tiny, "hello").out.decode()
    stop = text[9:12]
    run = llm_run("--json", "--greedy", "-n", "40", "--stop", "never in it", "--stop", stop, tiny, "hello").json()
    assert run["text"] == text[: text.index(stop)] and run["finish_reason"] == "stop"
    assert llm_run("-q", "--greedy", "-n", "40", "--stop", stop, tiny, "hello").out.decode() == run["text"]


def test_eos_ends_the_text_unless_ignored(tiny):
    bias = ["--logit-bias", "2=1000"]
    run = llm_run("--json", "--greedy", *bias, tiny, "hello").json()
    assert run["finish_reason"] == "eos" and run["text"] == "" and run["tokens"] == [] and run["completion_tokens"] == 0
    run = llm_run("--json", "--greedy", "--ignore-eos", "-n", "3", *bias, tiny, "hello").json()
    assert run["finish_reason"] == "length" and run["tokens"] == [2, 2, 2] and run["text"] == ""


def test_the_generation_config_says_how_to_draw_and_what_ends_the_text(tiny):
    """Its keys count before config.json's eos_token_id (2) and our defaults; options count before both."""
    greedy = llm_run("-q", "--greedy", "-n", "24", tiny, "hello").out
    for eos in 5, [7, 5]:
        (tiny / "generation_config.json").write_text(json.dumps({"eos_token_id": eos, "do_sample": False, "temperature": 9.0}))
        assert llm_run("--json", "--logit-bias", "5=1000", tiny, "hello").json()["finish_reason"] == "eos"
        own = llm_run("--json", "-n", "2", "--logit-bias", "2=1000", tiny, "hello").json()
        assert own["finish_reason"] == "length" and own["tokens"] == [2, 2]
    assert llm_run("-q", "-n", "24", "--ignore-eos", tiny, "hello").out == greedy
    assert llm_run("-q", "-n", "24", "--ignore-eos", "--temp", "9", "--seed", "1", tiny, "hello").out != greedy


@pytest.mark.parametrize("config, temperature", [({"do_sample": False}, "0.8"), ({"do_sample": False, "temperature": 5.0}, "5"),
                                                 ({"temperature": 0}, "0.8")])
def test_a_sampler_that_is_asked_for_counts_before_a_greedy_config(tiny, config, temperature):
    (tiny / "generation_config.json").write_text(json.dumps(config))
    run = ["-n", "24", "--ignore-eos", "--seed", "1", tiny, "hello"]
    greedy = llm_run("--greedy", *run)
    assert "generation_config" not in greedy.err
    for option in (["--top-k", "90"], ["--top-p", "1"], ["--min-p", "0"], ["--typical", "1"]):
        drawn = llm_run(*option, *run)
        line = f"{option[0]} turns sampling on, at temperature {temperature}: the model's generation_config.json says greedy"
        assert drawn.out != greedy.out and line in drawn.err and len(drawn.lines) == 2, drawn
        assert drawn.out == llm_run("-q", *option, "--temp", temperature, *run).out
        assert llm_run(*option, "--greedy", *run).out == greedy.out == llm_run(*option, "--temp", "0", *run).out
        assert len(llm_run(*option, "--temp", "0", *run).lines) == 1
    plain = llm_run(*run)
    assert plain.out == greedy.out and "--seed changes nothing" in plain.err and not plain.err.endswith("seed 1\n"), plain
    assert llm_run("--json", *run).json()["seed"] == 1


def test_a_full_context_is_length(tiny):
    run = llm_run("--json", "--greedy", "--ignore-eos", "-c", "20", tiny, "hello").json()
    assert run["finish_reason"] == "length" and run["prompt_tokens"] + run["completion_tokens"] in (20, 21)


def test_prompts_that_do_not_fit_and_ids_out_of_range(tiny):
    refused(llm_run("-c", "5", tiny, "hello"), 2, "6 tokens", "room for 5", "-c, up to 256")
    for most in "5", "256":  # a larger context than the model's would not help
        refused(llm_run("-c", most, tiny, "a" * 256), 2, "257 tokens", "no more than 256: shorten the prompt")
    assert llm_run("-q", "-c", "256", tiny, "a" * 255).status == 0
    refused(llm_run("--ids", tiny, "1,131"), 2, "131")
    refused(llm_run("--ids", tiny, "1,x"), 2, "'x'")
    refused(llm_run("--ids", tiny, "1,-2"), 2, "'-2'")
    refused(llm_run("--ids", tiny, " , "), 2, "no token ids")
    refused(llm_run("--logit-bias", "131=1", tiny, "a"), 2, "131")


def test_a_missing_prompt_file_is_an_input_file(tiny, tmp_path):
    refused(llm_run("-f", tmp_path / "none", tiny), 3, "none", "No such file")
    refused(llm_run("-f", tmp_path, tiny), 3, str(tmp_path))


def test_invalid_utf8_prompt_is_continued(tiny):
    run = llm_run("--json", "--greedy", "-n", "3", "--echo", tiny, stdin=b"a\xffb")
    assert run.status == 0 and run.json()["text"].startswith("a\ufffdb")
    assert "llm-run: 1 byte is not UTF-8 (the first at byte 1): read as U+FFFD\n" in run.err, run
    for mode in ["--tokenize"], ["--score"], ["-n", "1"]:
        assert "llm-run: 3 bytes are not UTF-8 (the first at byte 2): read as U+FFFD\n" in llm_run(*mode, tiny, stdin=b"\xc3\xa4\xe2\x82a\xff").err
        assert "UTF-8" not in llm_run(*mode, tiny, stdin="\u00e4\ufffd".encode()).err
        assert llm_run("-q", *mode, tiny, stdin=b"a\xff").err == ""


def test_memory_too_small_is_4(tiny):
    line = refused(llm_run("--mem-limit", "1M", tiny, "hello"), 4, "Cannot allocate", "Available memory")
    advice = re.search(r"--mem-limit (\d+M)", line)[1]  # who follows it gets an answer
    assert llm_run("--mem-limit", advice, "-n", "2", tiny, "hello").status == 0


def test_a_full_context_is_told(tiny):
    full = llm_run("--ignore-eos", "-c", "8", tiny, "hello")
    assert full.status == 0 and "the answer ends where the context of 8 positions does" in full.err, full
    asked = llm_run("--ignore-eos", "-c", "8", "-n", "2", tiny, "hello")
    assert asked.status == 0 and "the answer ends where" not in asked.err, asked


def test_verbose_tells_what_was_chosen(tiny):
    run = llm_run("-v", "-n", "1", "-c", "32", "--seed", "7", "--top-k", "5", tiny, "hello")
    for part in ("million parameters", "kernels", "eos_token_id", "context of 32 positions", "top-k 5", "seed 7", "penalties"):
        assert part in run.err, (part, run)
    assert "kernels" not in llm_run("-n", "1", tiny, "hello").err


@pytest.mark.skipif("LR_TEST_MATMUL" in os.environ, reason="the way of the products is given")
def test_verbose_tells_how_products_are_done(tiny):
    said = {way: llm_run("-v", "-n", "1", "--matmul", way, tiny, "hello").err for way in ("native", "blas")}
    assert "prompts are read through the same kernels" in said["native"]
    assert "all products go through OpenBLAS, as asked for" in said["blas"]


@pytest.mark.parametrize("json_too", [[], ["--json"]])
def test_a_closed_pipe_ends_quietly(tiny, json_too):
    p = subprocess.Popen(command("-q", "--ignore-eos", "--greedy", *json_too, tiny, "hello"), stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    p.stdout.close()
    assert p.wait(60) == 0
    assert p.stderr.read() == b""
    p.stderr.close()


def test_head_gets_its_bytes(tiny):
    script = '"$@" | head -c 3'
    done = subprocess.run(["bash", "-o", "pipefail", "-c", script, "x", *command("-q", "--ignore-eos", "--greedy", tiny, "hello")],
                          capture_output=True, timeout=60)
    assert done.returncode == 0 and len(done.stdout) == 3 and done.stderr == b""


def test_a_full_disk_is_1(tiny):
    for mode in (["-n", "3"], ["-n", "3", "--json"], ["--tokenize"], ["--info"]):
        with open("/dev/full", "wb") as full:
            p = subprocess.run(command("-q", *mode, tiny, "hello"), stdout=full, stderr=subprocess.PIPE, timeout=60)
        assert p.returncode == 1 and b"No space left" in p.stderr, mode


def endless(folder, *more):
    """A run that takes long enough to be stopped: a context of 200,000 positions, no end of text. Read it unbuffered: communicate()
    does not see what a buffer took from the pipe."""
    config = json.loads((folder / "config.json").read_text())
    config["max_position_embeddings"] = 200_000
    (folder / "config.json").write_text(json.dumps(config))
    return command("-q", "--greedy", "--ignore-eos", "-c", "200000", *more, folder, "hello")


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_and_keeps_what_there_is(tiny, number, status):
    expected = llm_run("-q", "--greedy", "--ignore-eos", "-n", "16", tiny, "hello").out
    p = subprocess.Popen(endless(tiny), stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
    first = p.stdout.read(1)
    p.send_signal(number)
    out, err = p.communicate(timeout=60)
    assert p.returncode == status and err == b""
    assert (first + out)[: len(expected)] == expected[: len(first + out)]


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_nothing_is_said_of_an_interruption_that_the_answer_tells(tiny, more):
    args = [a for a in endless(tiny, *more) if a != "-q"]
    for _ in range(3):  # wherever in the loop it comes
        p = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        time.sleep(1) if more else p.stdout.read(1)
        p.send_signal(signal.SIGINT)
        _, said = p.communicate(timeout=60)
        assert p.returncode == 130 and b"interrupted" not in said and said.count(b"\n") - said.count(b"[Mem") == (0 if more else 1), said


def test_a_signal_gives_json_of_what_there_is(tiny):
    p = subprocess.Popen(endless(tiny, "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
    time.sleep(1.5)
    p.send_signal(signal.SIGINT)
    out, _ = p.communicate(timeout=60)
    answer = json.loads(out)
    assert p.returncode == 130 and answer["finish_reason"] == "interrupted"
    assert answer["completion_tokens"] == len(answer["tokens"]) > 0


def test_a_signal_while_the_prompt_is_awaited(tiny):
    p = subprocess.Popen(command(tiny), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(0.5)
    p.send_signal(signal.SIGINT)
    out, said = p.communicate(timeout=60)
    assert p.returncode == 130 and out == b"" and said == b"llm-run: interrupted while reading standard input\n"


def test_a_signal_while_a_named_pipe_waits_for_its_writer(tiny, tmp_path):
    os.mkfifo(tmp_path / "ff")
    p = subprocess.Popen(command(tiny, "-f", tmp_path / "ff"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(0.5)
    p.send_signal(signal.SIGINT)
    out, said = p.communicate(timeout=60)
    assert p.returncode == 130 and out == b"" and said.decode() == f"llm-run: interrupted while reading {tmp_path}/ff\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_was_ignored_stays_so(tiny, number):
    p = subprocess.Popen(command("-q", "-n", "1", tiny), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         preexec_fn=lambda: signal.signal(number, signal.SIG_IGN))
    time.sleep(0.5)
    p.send_signal(number)
    time.sleep(0.2)
    out, said = p.communicate(b"hello", timeout=60)
    assert p.returncode == 0 and out and said == b"", said


def test_the_clock_starts_when_the_prompt_is_there(tiny):
    p = subprocess.Popen(command("--json", "-n", "1", tiny), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    time.sleep(3)
    timings = json.loads(p.communicate(b"hello", timeout=60)[0])["timings"]
    assert 0 < timings["load_s"] <= timings["first_token_s"] < 3, timings


def test_a_hang_up_still_gives_the_whole_answer(tiny):
    p = subprocess.Popen(command("--json", "--ignore-eos", "-c", "64", "-n", "1", tiny), stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL))  # the tests may run under nohup
    time.sleep(0.5)
    p.send_signal(signal.SIGHUP)
    out, said = p.communicate(timeout=60)
    assert p.returncode == 129 and json.loads(out)["error"]["code"] == 129, said


def test_progress_always_tells_each_tenth(tiny):
    run = llm_run("--progress", "always", "--prefill-chunk", "1", "-n", "1", tiny, "a prompt of thirty-one letters")
    shares = [int(m) for m in re.findall(r"^reading the prompt (\d+) %$", run.err, re.M)]
    assert shares == sorted(shares) and shares[-1] == 100 and len(shares) >= 10
    never = llm_run("--progress", "never", "-n", "1", tiny, "a prompt")
    assert "%" not in never.err


def on_a_terminal(args, bars):
    """Exit status and what is written to stderr where that is a terminal; interrupted once so many bars are drawn."""
    leader, follower = pty.openpty()
    said, asked = b"", False
    with subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=follower,
                          env=dict(os.environ, TERM="xterm")) as p:
        os.close(follower)
        try:
            while piece := os.read(leader, 65536):
                said += piece
                if said.count(b" %\x1b[K") >= bars and not asked:
                    p.send_signal(signal.SIGINT)  # once: a second one ends the program at once
                    asked = True
        except OSError:  # the terminal is closed
            pass
    os.close(leader)
    return p.returncode, said.decode()


def test_a_bar_is_drawn_on_a_terminal_once_reading_takes_half_a_second(tiny):
    (tiny / "prompt").write_text("a" * 60_000)  # minutes, were it not stopped
    began = time.monotonic()
    endless(tiny)  # a context of 200,000
    status, said = on_a_terminal(command("-c", "200000", "-f", tiny / "prompt", tiny), 8)
    assert status == 130 and time.monotonic() - began > 0.5, said
    bars = re.findall(r"\rreading the prompt \[(#*) *\] +(\d+) %\x1b\[K", said)
    shares = [int(n) for _, n in bars]
    assert len(shares) >= 8 and shares == sorted(set(shares)) and shares[0] > 0, said
    assert all(len(bar) == int(n) * 40 // 100 for bar, n in bars), said
    assert said.count("\r\x1b[K") == 1 and "interrupted after reading" in said.split("\r\x1b[K")[1], said
    status, said = on_a_terminal(command("-n", "1", tiny, "hello"), 1)
    assert status == 0 and "reading" not in said, said


def drop_from_cache(path):
    """Takes a file out of the page cache; skips the test where the file system keeps it (one in memory)."""
    with open(path, "r+b") as f:
        os.fsync(f.fileno())
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        with mmap.mmap(f.fileno(), 0) as mapped:
            cached = (ctypes.c_ubyte * -(-len(mapped) // mmap.PAGESIZE))()
            start = ctypes.c_ubyte.from_buffer(mapped)
            libc = ctypes.CDLL(None)
            status = libc.mincore(ctypes.c_void_p(ctypes.addressof(start)), ctypes.c_size_t(len(mapped)), cached)
            del start
            if status or sum(c & 1 for c in cached) > len(cached) // 10:
                pytest.skip("the file stays in the page cache")


def test_weights_that_are_on_disk_alone_are_loaded_with_progress(demo, tmp_path):
    folder = shutil.copytree(demo, tmp_path / "demo")
    for prompt in "Once upon a time", "A":  # one chunk of several tokens, and a single one
        drop_from_cache(folder / "model.safetensors")
        cold = llm_run("--progress", "always", "-n", "1", folder, prompt)
        shares = [int(m) for m in re.findall(r"^loading (\d+) %$", cold.err, re.M)]
        assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == 100 and len(shares) > 3, cold
    warm = llm_run("--progress", "always", "-n", "1", folder, "Once upon a time")
    assert "loading" not in warm.err and "reading the prompt 100 %" in warm.err


def test_colour_only_where_it_is_wanted(tiny):
    assert "\x1b[" in llm_run("--color", "always", "-n", "1", tiny, "a").err
    assert "\x1b[" not in llm_run("-n", "1", tiny, "a").err
    assert "\x1b[" not in llm_run("--color", "never", "-n", "1", tiny, "a").err


def test_a_template_is_mentioned_once(tiny):
    assert "template" not in llm_run("-n", "1", tiny, "a").err
    (tiny / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    run = llm_run("-n", "1", tiny, "a")
    assert run.status == 0 and [line for line in run.lines if "template" in line and "as it stands" in line]
    assert "template" not in llm_run("-n", "1", "--raw", tiny, "a").err
    assert llm_run("-n", "1", "-q", tiny, "a").err == ""


def test_control_characters_do_not_reach_the_terminal(tmp_path):
    run = llm_run(str(tmp_path / "no\x1b[31m\nsuch"), "x")
    assert run.status == 3 and len(run.lines) == 1 and "\x1b" not in run.err


def test_demo_tells_a_story(demo):
    run = llm_run("--greedy", "-n", "60", demo, "Once upon a time")
    assert run.status == 0 and len(run.out.split()) > 20, run


def test_the_space_after_the_prompt_is_kept():
    """Decoders of SentencePiece's kind drop the first space of a text; an answer is not the beginning of one."""
    model = shared_model("stories260K-hf-derived")
    run = llm_run("--greedy", "-n", "3", "--echo", "-q", model, "Hello")
    assert run.status == 0 and run.out.decode().startswith("Hello was"), run
    stopped = llm_run("--greedy", "-n", "3", "--json", "-q", "--stop", " ", model, "Hello").json()
    assert stopped["text"] == "" and stopped["finish_reason"] == "stop"
