"""No figure of quality is ever typed, and nothing that could run code is ever read."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WORDS = r"(?:accuracy|win[ _]rate|precision|sharpe|auc)"
NUMBER = r"(?<![\d.])(?!95\s?%)\d+(?:\.\d+)?\s?%"  # 95 % is how sure, not how good
TYPED = re.compile(rf"{WORDS}[^|\n]{{0,40}}?{NUMBER}|{NUMBER}[^|\n]{{0,25}}?{WORDS}", re.IGNORECASE)
UNPICKLING = re.compile(
    r"(pickle|joblib|cloudpickle|dill)\.loads?|Unpickler|SAC\.load|load_replay_buffer"
    r"|VecNormalize\.load|yaml\.load"
)
UNSAFE = {("weights_only", False), ("allow_pickle", True)}


def pages() -> list[Path]:
    """Return what people read, and the code; the tables of studies were measured."""
    code = [path for end in ("py", "html", "js") for path in ROOT.glob(f"optiq/**/*.{end}")]
    words = [
        *ROOT.glob("*.md"),
        *(p for p in ROOT.glob("docs/**/*.md") if "studies" not in p.parts),
    ]
    return [path for path in (*code, *words) if "uplot" not in path.parts]


def test_no_figure_of_quality_is_typed_anywhere():
    found = [
        f"{path.relative_to(ROOT)}: {hit.group()}"
        for path in pages()
        for hit in TYPED.finditer(path.read_text("utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "typed",
    ["accuracy of 83.4 %", "83.4% accuracy", "Win rate: 71 %", "precision ........ 60%"],
)
def test_a_typed_figure_would_be_found(typed):
    assert TYPED.search(typed)


def test_an_interval_is_no_claim():
    assert not TYPED.search("AUC, each with its 95 % interval")


def unpickling(text: str) -> list[int]:
    """Return the lines of calls that could run what a file holds."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            given = {
                (k.arg, k.value.value) for k in node.keywords if isinstance(k.value, ast.Constant)
            }
            if UNPICKLING.fullmatch(ast.unparse(node.func)) or given & UNSAFE:
                found.append(node.lineno)
    return found


def test_nothing_reads_what_could_run_code():
    code = {path: path.read_text("utf-8") for path in ROOT.glob("optiq/**/*.py")}
    assert [path.name for path, text in code.items() if unpickling(text)] == []
    assert len(code) > 100


@pytest.mark.parametrize(
    "text",
    [
        "import pickle\npickle.load(file)",
        "joblib.load(path)",
        "SAC.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
    ],
)
def test_a_planted_unpickling_is_found(text):
    assert len(unpickling(text)) == 1
