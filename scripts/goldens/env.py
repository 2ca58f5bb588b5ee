"""The makers' virtual environment: made on demand, versions pinned."""

import os
import subprocess
import sys
import venv

PINS = {
    "torch": "2.15.0",
    "transformers": "5.23.0",
    "tokenizers": "0.23.3",
    "safetensors": "0.8.0",
    "numpy": "2.4.6",
    "sentencepiece": "0.2.3",
    "protobuf": "7.36.2",
}


def enter(directory, argv):
    """Returns inside the environment's Python; makes the environment and starts anew there if need be."""
    python = directory.absolute() / "bin" / "python"
    if sys.prefix == str(directory.absolute()):
        _quieten()
        return
    stamp = directory / "pins.txt"
    pins = "".join(f"{name}=={version}\n" for name, version in PINS.items())
    if not python.exists() or not stamp.exists() or stamp.read_text() != pins:
        if not python.exists():
            venv.create(directory, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *pins.split()], check=True)
        stamp.write_text(pins)
    settings = {
        "PYTHONHASHSEED": "0",
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    os.execve(python, [str(python), *argv], {**os.environ, **settings})


def _quieten():
    import logging
    import warnings

    logging.getLogger("transformers").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    from transformers.utils import logging as hf

    hf.disable_progress_bar()


def made_by(part, packages):
    """The stamp in each golden file."""
    return {"made_by": f"scripts/make_goldens.py --only {part}", "versions": {name: PINS[name] for name in packages}}
