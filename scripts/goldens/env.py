"""The makers' virtual environments: made on demand, versions pinned."""

import os
import subprocess
import sys
import venv

MODELS = {
    "torch": "2.15.0",
    "transformers": "5.23.0",
    "accelerate": "1.15.0",  # transformers asks for it where weights are fp8
    "tokenizers": "0.23.3",
    "safetensors": "0.8.0",
    "numpy": "2.4.6",
}
# 0.22.2, not 0.23: that gives the same ids, but no longer skips special tokens that are `normalized` when it decodes
TOKENIZERS = {
    "tokenizers": "0.22.2",
    "transformers": "4.57.6",
    "sentencepiece": "0.2.3",
    "protobuf": "7.36.2",
    "numpy": "2.4.6",
}
PINS = {"models": MODELS, "rope": MODELS, "samplers": MODELS, "tokenizers": TOKENIZERS}
SETTINGS = {
    "PYTHONHASHSEED": "0",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
}


def python_for(part, directory):
    """The Python of the part's environment, which is made or brought up to date if need be."""
    pins = "".join(f"{name}=={version}\n" for name, version in PINS[part].items())
    home = directory.absolute() / ("tokenizers" if PINS[part] is TOKENIZERS else "models")
    python, stamp = home / "bin" / "python", home / "pins.txt"
    if not stamp.exists() or stamp.read_text() != pins:
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *pins.split()], check=True)
        stamp.write_text(pins)
    return python


def run_part(part, directory, argv):
    """Runs `argv` under the part's Python."""
    subprocess.run([python_for(part, directory), *argv], check=True, env={**os.environ, **SETTINGS})


def quieten():
    """No notes and bars of transformers."""
    import warnings

    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    warnings.filterwarnings("ignore")


def made_by(part, packages):
    """The stamp in each golden file."""
    versions = {"python": sys.version.split()[0], **{name: PINS[part][name] for name in packages}}
    return {"made_by": f"scripts/make_goldens.py --only {part}", "versions": versions}
