"""A model card is made from its JSON alone, says what was not measured, and reads on a phone."""

from __future__ import annotations

import datetime as dt
import html
import io
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import chromium
import numpy as np
import pytest
from rich.console import Console
from small_models import FEATURES, FILES, NOW, card, evidence, measured, save

from optiq.errors import DamagedError
from optiq.learn import registry
from optiq.learn.measured import Measured
from optiq.learn.validate import Interval
from optiq.report.card import card_page
from optiq.report.card_plots import HEIGHT, WIDTH, decile_plot, nice_ticks, reliability_plot
from optiq.report.measured_table import evidence_text, measured_table, number_text


def stored(root: Path, kind: str = "scorer", **changes: object) -> Path:
    """Store a model with its page and return the page."""
    version = registry.save(root, kind, FILES, card() | changes, render=card_page, now=NOW)
    return root / kind / version / "card.html"


def text_of(page: Path) -> str:
    body = page.read_text().partition("<body>")[2].replace("<wbr>", "")
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def test_everything_a_card_must_say_is_on_its_page(tmp_path):
    said = text_of(stored(tmp_path))
    told = registry.load(tmp_path, "scorer", "1.0.0").card
    for words in (
        "Signal scorer 1.0.0",
        "75 sessions from 2025-08-01 to 2025-11-20",
        "0.541 0.519 to 0.563",
        "base rate",
        "54,000 rows of 24 sessions, 2025-10-14 to 2025-11-20",
        "net profit of buying it, alone, until +15 % or -10 %",
        "walk-forward by session, 4 folds, purged by label end, 1 session embargoed",
        "0 of 200 cuts differ",
        "fits 12",
        "latency_s 1.0",
        "train 1,60,000",
        "paper fills",
        "Not investment advice.",
        told["features_hash"],
        told["hashes"]["model"],
        *FEATURES,
    ):
        assert words in said


def test_the_page_and_the_card_hold_the_same_figures(tmp_path):
    page = stored(tmp_path)
    figures = json.loads((page.parent / "card.json").read_text())["figures"]
    said = text_of(page)
    for figure in figures:
        for key in ("value", "low", "high"):
            assert f"{figure[key]:.3f}".replace("-", "−") in said


def test_without_figures_there_is_no_number_of_quality(tmp_path):
    page = stored(tmp_path, figures=[], baselines={}, tables={}, importance=[])
    said = text_of(page)
    assert "accuracy: not measured out of sample" in said
    assert "Nothing about this model was measured out of sample" in said
    assert "%" not in said.replace("+15 %", "").replace("-10 %", "")
    assert "<svg" not in page.read_text()


def test_one_session_has_no_interval_and_says_so_first(tmp_path):
    alone = Measured(
        "AUC", Interval(0.61, math.nan, math.nan, 1, "1 session: no interval"), evidence()
    )
    said = text_of(stored(tmp_path, figures=[alone.to_json()], baselines={}))
    assert "Read this first 1 session: no interval. Chance alone may explain any figure" in said
    assert "nan" not in said.lower()


def test_what_is_the_same_on_every_session_is_no_matter_of_chance(tmp_path):
    alike = Interval(1.0, math.nan, math.nan, 24, "24 sessions all alike: no interval")
    figures = [measured("AUC", 0.54, 0.52, 0.56), Measured("coverage", alike, evidence())]
    said = text_of(stored(tmp_path, figures=[figure.to_json() for figure in figures]))
    assert "Read this first" not in said
    assert "1.000 24 sessions all alike: no interval" in said


def test_features_that_play_no_part_are_counted(tmp_path):
    shares = [
        {"feature": name, "share": share} for name, share in zip("abc", (1, 0, 0), strict=True)
    ]
    said = text_of(stored(tmp_path, importance=shares))
    assert "2 more played no part. a 100.0" in said


def test_a_failed_audit_is_said_first(tmp_path):
    failed = [{"check": "planted column", "passed": False, "says": "zz_future has AUC 0.99"}]
    said = text_of(stored(tmp_path, audit=failed))
    assert "The audit for leaks failed: planted column: zz_future has AUC 0.99" in said


@pytest.mark.parametrize("kind", registry.KINDS)
def test_other_kinds_have_a_page_too_and_nothing_they_say_is_lost(tmp_path, kind):
    more = {"exploration": {"episodes": 1234, "ready": False, "by day": [{"n": 1}, {"n": 2}]}}
    said = text_of(stored(tmp_path, kind, tables={}, **more))
    assert "exploration episodes 1,234 ready no by day 1 n 1 by day 2 n 2" in said


def test_other_measured_tables_are_shown_as_they_are(tmp_path):
    rows = [{"strategy": "iv_rank", "episodes": 1200, "gain_r": 0.125, "low": None}]
    tables = {"by_strategy": {"evidence": evidence().to_json(), "rows": rows}}
    said = text_of(stored(tmp_path, "policy", tables=tables))
    assert "By strategy, out of sample strategy episodes gain r low" in said
    assert "iv_rank 1,200 0.125 not known Measured out of sample: 54,000 rows" in said


def test_a_card_cannot_smuggle_markup_in(tmp_path):
    bad = "<script>alert(1)</script>"
    page = stored(
        tmp_path,
        label=bad,
        limits=[bad],
        features=[bad],
        importance=[{"feature": bad, "share": 1.0}],
        more={bad: bad},
        baselines={bad: [measured(bad, 0.5, 0.4, 0.6).to_json()]},
    )
    assert "<script" not in page.read_text()
    assert "default-src 'none'" in html.unescape(page.read_text())


def test_a_figure_that_was_measured_in_sample_makes_no_page(tmp_path):
    save(tmp_path)
    told = json.loads((tmp_path / "scorer" / "1.0.0" / "card.json").read_text())
    told["figures"][0]["evidence"]["fitted_until"] = "2025-11-20T10:00:00Z"
    with pytest.raises(DamagedError, match="fitted until"):
        card_page(told)


@pytest.mark.parametrize("bare", [0.83, {"metric": "AUC", "value": 0.83}, "83 %"])
def test_tables_take_nothing_but_measured_figures(bare):
    with pytest.raises(TypeError, match="is not a measured figure"):
        measured_table("", {"this model": [bare]})


def test_a_wanted_figure_that_nobody_has_is_said_to_be_missing():
    screen = Console(width=100, file=io.StringIO())
    columns = {"this model": [measured("AUC", 0.54, 0.52, 0.56)], "base rate": []}
    screen.print(measured_table("", columns, wanted=["accuracy"]))
    lines = screen.file.getvalue().splitlines()
    (accuracy,) = (line for line in lines if "accuracy" in line)
    assert accuracy.count("not measured out of sample") == 2
    assert not re.search(r"[0-9]", accuracy)


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.5, "0.500"), (-0.0001, "0.000"), (12.3456, "12.346"), (123456.789, "1,23,456.79")],
)
def test_numbers_in_tables(value, words):
    assert number_text(value) == words


def test_plots_stay_in_their_frame_and_keep_their_order():
    told = card()["tables"]
    deciles = decile_plot(told["deciles"]["rows"])
    points = reliability_plot(told["reliability"]["rows"])
    assert deciles is not None
    assert points is not None
    for mark in (*deciles.marks, *points.marks):
        assert 0 < mark.x < WIDTH
        assert 0 < mark.high <= mark.y <= mark.low < HEIGHT
    heights = [mark.y for mark in deciles.marks]
    assert heights == sorted(heights, reverse=True)  # more money is further up
    assert [mark.is_below for mark in deciles.marks] == [True] * 6 + [False] * 4
    x0, y0, x1, y1 = points.diagonal
    for mark, row in zip(points.marks, told["reliability"]["rows"], strict=True):
        on_line = y0 + (mark.x - x0) * (y1 - y0) / (x1 - x0)
        assert (mark.y < on_line) == (row["observed"] > row["predicted"])


def test_folds_are_told_apart_from_one_test():
    day, half_past_eight = dt.date(2025, 11, 20), np.datetime64("2025-11-20T08:30")
    alone = evidence(997, 1, first=day, last=day, tested_from=half_past_eight)
    assert evidence_text(alone) == (
        "out of sample: 997 rows of 1 session, 2025-11-20; walk-forward, 4 folds; "
        "fitted until 2025-10-10 10:00, tested from 2025-11-20 08:30 UTC"
    )
    later = replace(
        evidence(),
        fitted_until=np.datetime64("2025-11-12T10:00"),
        tested_from=np.datetime64("2025-11-14T03:45"),
    )
    assert evidence_text(later).endswith(
        "each fold tested after its own fit, nearest: "
        "fitted until 2025-11-12 10:00, tested from 2025-11-14 03:45 UTC"
    )


def test_a_plot_of_nothing_is_none():
    assert decile_plot([]) is None
    assert reliability_plot([{"predicted": None, "observed": None, "rows": 0}]) is None


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3e5, 2e5), (0.01, 0.012), (-0.6, -0.1)])
def test_ticks_are_round_and_few(low, high):
    ticks = nice_ticks(low, high)
    assert 2 <= len(ticks) <= 7
    assert low <= ticks[0] <= ticks[-1] <= high


@pytest.mark.skipif(chromium.binary() is None, reason="no Chromium to look with")
def test_the_page_reads_on_a_desk_and_on_a_phone_and_asks_for_nothing(tmp_path):
    page = stored(tmp_path)
    with chromium.browser() as browser:
        tab = browser.tab()
        for width, dark in ((1200, False), (375, True)):
            tab.open(page, width=width, dark=dark)
            assert tab.ask("document.documentElement.scrollWidth") == width
            assert tab.complaints == []
            assert tab.requests == [page.as_uri()]
            smallest = tab.ask(
                "Math.min(...[...document.querySelectorAll('.plot text')]"
                ".map(one => one.getBoundingClientRect().height))"
            )
            assert smallest >= 9
        assert tab.ask("getComputedStyle(document.body).backgroundColor") == "rgb(19, 21, 24)"
