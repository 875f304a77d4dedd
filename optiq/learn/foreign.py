"""A model file from outside is opened in a child process first: its parser may not survive it.

LightGBM 4.7 aborts or crashes on most damaged model texts (of 60, 47 ended the process and 12
loaded in silence). The child has little memory and time; if it does not come back well, the file
never reaches this process. Files of the registry need no child: their hashes are checked.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping

from optiq.errors import DamagedError

MEMORY_BYTES = 4 << 30
CPU_S, PATIENCE_S = 20, 60
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")

_CHILD = """
import importlib, os, resource, sys
memory, seconds = int(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
module, name = sys.argv[3].split(":")
open_it = getattr(importlib.import_module(module), name)
for number, size in enumerate(map(int, sys.argv[4:])):
    os.write(1, b"\\nopening %d\\n" % number)
    open_it(sys.stdin.buffer.read(size))
"""
_OPENING = re.compile(rb"^opening (\d+)$", re.MULTILINE)


def require_sound(
    content: bytes,
    name: str,
    opener: str = "optiq.learn.foreign:open_lightgbm",
    *,
    memory_bytes: int = MEMORY_BYTES,
    cpu_s: int = CPU_S,
) -> None:
    """Open a file's content in a child process; `DamagedError` if the child does not survive it.

    ``name`` is what the message calls the file; `require_all_sound` says the rest.
    """
    require_all_sound({name: content}, opener, memory_bytes=memory_bytes, cpu_s=cpu_s)


def require_all_sound(
    files: Mapping[str, bytes],
    opener: str,
    *,
    memory_bytes: int = MEMORY_BYTES,
    cpu_s: int = CPU_S,
) -> None:
    """Open files, one after the other, in one child; `DamagedError` naming the first it dies of.

    ``opener`` is ``module:function``, called there with each content; it must not be one that
    unpickles.
    """
    limits = [str(memory_bytes), str(cpu_s)]
    sizes = [str(len(content)) for content in files.values()]
    number, fault = _fault(b"".join(files.values()), [*limits, opener, *sizes])
    if fault:
        name = list(files)[number]
        raise DamagedError(f"{name}: model file damaged ({fault})", "train again, or take a copy")


def open_lightgbm(content: bytes) -> None:
    """Parse LightGBM's model text and predict one row: what only crashes then is found too."""
    import lightgbm
    import numpy as np

    booster = lightgbm.Booster(model_str=content.decode("utf-8"))
    row = np.zeros((1, booster.num_feature()))
    if not np.isfinite(np.asarray(booster.predict(row, num_threads=1))).all():
        raise ValueError("it predicts no number")


def open_weights(content: bytes) -> None:
    """Read torch weights: tensors and plain values, no code."""
    import io

    import torch

    torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def _fault(content: bytes, words: list[str]) -> tuple[int, str]:
    """Return which file the child opened last and how it ended; nothing where it ended well."""
    try:
        child = subprocess.run(
            [sys.executable, "-P", "-c", _CHILD, *words],
            input=content,
            capture_output=True,
            env={**os.environ, **dict.fromkeys(ONE_THREAD, "1")},
            timeout=PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        return _last(late.stdout or b""), f"not read within {PATIENCE_S} s"
    if child.returncode < 0:
        ended = signal.Signals(-child.returncode).name
        return _last(child.stdout), f"its parser ended by {ended}"
    lines = child.stderr.decode("utf-8", "replace").strip().splitlines()
    said = lines[-1][:200] if lines else "not readable"
    return _last(child.stdout), said if child.returncode else ""


def _last(said: bytes) -> int:
    """Return the number of the file that a child said it was opening; the first before any."""
    return int((_OPENING.findall(said) or [b"0"])[-1])
