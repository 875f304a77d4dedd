"""A model file from outside may kill the child that opens it first, never this process."""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from optiq.errors import DamagedError
from optiq.learn.foreign import require_all_sound, require_sound


@pytest.fixture(scope="module")
def text() -> str:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((400, 4))
    data = lightgbm.Dataset(rows, rows[:, 0] + rng.standard_normal(400) > 0)
    settings = {"objective": "binary", "num_leaves": 7, "verbose": -1, "num_threads": 1}
    return lightgbm.train(settings, data, 12).model_to_string()


def refused(content: bytes) -> str:
    with pytest.raises(DamagedError, match=r"^from outside: model file damaged \(") as error:
        require_sound(content, "from outside")
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_sound_file_is_let_through(text):
    require_sound(text.encode(), "from outside")


def test_of_several_the_damaged_one_is_named(text):
    files = {"one": text.encode(), "two": damaged(text, 0), "three": text.encode()}
    with pytest.raises(DamagedError, match=r"^two: model file damaged \("):
        require_all_sound(files, "optiq.learn.foreign:open_lightgbm")


def damaged(text: str, seed: int) -> bytes:
    """Return the text with lines taken out of the trees, or a size of theirs made wrong."""
    rng = random.Random(seed)
    lines = text.splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("Tree=0"))
    last = lines.index("end of trees")
    at = rng.randrange(first, last)
    if seed % 2:
        del lines[at : at + rng.randrange(1, 6)]
    else:
        at = rng.choice([n for n, line in enumerate(lines) if line.startswith("num_leaves=")])
        lines[at] = f"num_leaves={rng.choice([9_999_999, -3, 60])}"
    return "\n".join(lines).encode()


def test_damaged_files_end_the_child_and_the_parent_says_so(text):
    ends = Counter(refused(damaged(text, seed)).partition("(")[2] for seed in (0, 1))
    assert ends.total() == 2


@pytest.mark.parametrize(
    ("asked", "end"), [(b"memory", "MemoryError"), (b"time", "SIG(XCPU|KILL)")]
)
def test_what_eats_memory_or_time_is_stopped(asked, end, monkeypatch):
    here = Path(__file__).parent
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(here.parent), str(here)]))
    with pytest.raises(DamagedError, match=f"model file damaged .*{end}"):
        require_sound(asked, "x", "greedy:take", memory_bytes=1 << 28, cpu_s=1)


@pytest.mark.study
def test_sixty_damaged_files(text, write_study):
    ends: Counter[str] = Counter()
    for seed in range(60):
        try:
            require_sound(damaged(text, seed), "x")
            ends["read"] += 1
        except DamagedError as error:
            ends[str(error).partition("(")[2].rstrip(")").partition(":")[0]] += 1
    write_study(
        "foreign-models",
        "LightGBM model texts with lines gone or sizes wrong, opened in a child process; this "
        "process survived all of them.",
        ["how the child ended", "files"],
        sorted(ends.items()),
    )
    assert ends.total() == 60
    assert ends["read"] < 60
