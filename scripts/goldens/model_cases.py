"""All the tiny models."""

from . import cases_fp8, cases_llama, cases_other


def all_cases():
    cases = [
        *cases_llama.llama_cases(),
        *cases_llama.rope_cases(),
        *cases_other.file_cases(),
        *cases_other.window_cases(),
        *cases_fp8.fp8_cases(),
    ]
    assert len({c.name for c in cases}) == len(cases)
    return cases
