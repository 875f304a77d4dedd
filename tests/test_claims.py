"""Nobody claims a quality that was not measured: no bare percentage beside a word for it.

A paragraph (or a line of code) may name one only if it also says when it was measured, as
``measured 2026-11-22`` or by the dated file of a study. The studies themselves are what was
measured, each with its date in its name.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
QUALITY = (
    r"accura(?:cy|te(?:ly)?)|precision|recall|win[- ]?rate|hit[- ]?rate|success[- ]?rate|sharpe"
    r"|auc|f1|confidence of (?:the|a) model|correct(?:ly)?|wins|winning|profitab\w+|returns? of"
    r"|predicts?|predictive"
)
NUMBER = r"(?<![\w.])\d{1,3}(?:\.\d+)?\s?(?:%|per ?cent\b|&#37;)"
NEAR = r"[^\n|]{0,40}?"
CLAIM = re.compile(rf"(?:{NUMBER}{NEAR}\b(?:{QUALITY})\b|\b(?:{QUALITY})\b{NEAR}{NUMBER})", re.I)
MEASURED = re.compile(r"measured (?:on )?\d{4}-\d{2}-\d{2}|studies/\d{4}-\d{2}-\d{2}-", re.I)
KINDS = {".py", ".md", ".html", ".js", ".css", ".ipynb", ".toml", ".csv"}


def texts() -> list[Path]:
    """Every source, page, notebook and template, the studies and generated arrays aside."""
    found = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "pyproject.toml"]
    for folder in ("optiq", "docs", "notebooks", "examples", "bench"):
        found += (p for p in (ROOT / folder).rglob("*") if p.suffix in KINDS and p.is_file())
    return sorted(p for p in found if "studies" not in p.parts and "uplot" not in p.parts)


def claims(text: str, is_prose: bool = True) -> list[str]:
    """Return what claims a quality without saying when it was measured.

    In prose lines of a paragraph belong together; elsewhere each line stands for itself.
    """
    parts = re.split(r"\n\s*\n|\n(?=\s*[|#*-])", text) if is_prose else text.split("\n")
    joined = (" ".join(part.split()) for part in parts)
    return [part for part in joined if CLAIM.search(part) and not MEASURED.search(part)]


@pytest.mark.parametrize("path", texts(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_quality_is_claimed_that_was_not_measured(path: Path) -> None:
    assert claims(path.read_text("utf-8"), path.suffix == ".md") == []


@pytest.mark.parametrize(
    "text",
    [
        "A transformer with 83.4% accuracy.",
        "Accuracy: 83.4 % on 34 features",
        "win rate of 71%",
        "It is correct in 8 of 10 cases, that is 80 per cent accurate.",
        "the model is\nright: accuracy\n83.4 %",
        "| accuracy | 83.4 % |".replace(" | ", " "),
        "predicts the market with 90% certainty",
    ],
)
def test_a_planted_claim_is_found(text: str) -> None:
    assert len(claims(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "Accuracy 0.51 (95 %: 0.48 to 0.54), measured 2026-11-22 on 30 sessions.",
        "See studies/2026-11-22-direction.md: accuracy 51 %.",
        "a spread of at most 5 % of its middle",
        "the 95 % interval over sessions",
        "accuracy: not measured out of sample",
        "exits at +15 %, -10 %",
    ],
)
def test_what_was_measured_or_is_no_quality_is_no_claim(text: str) -> None:
    assert claims(text) == []


def test_the_search_looks_at_the_documentation_and_at_the_templates() -> None:
    names = {path.name for path in texts()}
    assert {"README.md", "decisions.md", "quantum_edge.py"} <= names
    assert any(path.suffix == ".html" for path in texts())
