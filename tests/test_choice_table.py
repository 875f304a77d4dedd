"""The report's section on what a policy chose: by hand, adding up, and honest where it is thin."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from runs import TRADES, Recorded, Trade, Window, write_choices, write_run
from test_report import Page, page_of

from optiq.cli.app import main
from optiq.errors import DamagedError
from optiq.learn.validate import mean_interval
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.report.choice_table import ChoiceTable, choice_tables
from optiq.report.positions import positions_of
from optiq.run.recorded import read_run

BOTH, ALPHA, NONE = ("alpha", "beta"), ("alpha",), ()
DAY = (
    Window("09:15:00", "none", NONE),
    Window("09:20:00", "none"),
    Window("09:55:00", "alpha"),  # two trades: decided 09:58:59 and 09:59:00
    Window("14:40:00", "beta"),  # one, decided 14:44:00
    Window("14:45:00", "alpha", ALPHA),  # none
)
NEXT = (
    Window("09:55:00", "alpha", day="2025-11-21"),  # one, decided 09:59:00
    Window("10:00:00", "none", day="2025-11-21"),
)


def tables(run: Path) -> list[ChoiceTable]:
    recorded = read_run(run)
    return choice_tables(recorded, positions_of(recorded.trades))


def shown(table: ChoiceTable) -> list[tuple]:
    lines = [*table.lines, table.total]
    return [
        (x.trades.label, x.possible, x.chosen, x.trades.trades, x.trades.net, x.a_window.value)
        for x in lines
    ]


def written(place: Path, windows: tuple[Window, ...] = DAY + NEXT, **about: object) -> Path:
    return write_choices(write_run(place / "run", TRADES), windows, **about)


def test_choices_by_hand(tmp_path: Path) -> None:
    (table,) = tables(written(tmp_path))
    assert table.who == "random on 2 sessions"
    assert shown(table) == [
        ("alpha", 6, 3, 3, -19_999, pytest.approx(-19_999 / 3)),
        ("beta", 5, 1, 1, -700, -700.0),
        ("standing aside", 7, 3, 0, 0, 0.0),
        ("all", 7, 7, 4, -20_699, pytest.approx(-20_699 / 7)),
    ]
    assert [line.share for line in table.lines] == [3 / 6, 1 / 5, 3 / 7]
    assert [line.is_small for line in table.lines] == [True, True, False]
    said = "2 sessions: too few for an interval (10)"
    assert (table.lines[0].a_window.note, table.total.a_window.note) == (said, said)


def test_a_learnt_policy_and_the_draws_before_it_stand_apart(tmp_path: Path) -> None:
    later = tuple(replace(window, version="policy/1.0.1") for window in NEXT)
    who = {"name": "champion", "standing": "champion", "random": 1, "other_rules": []}
    run = written(tmp_path, DAY + later, policy="champion", chosen_by=who)
    learnt, drawn = tables(run)
    assert (learnt.who, drawn.who) == ("policy/1.0.1 on 1 session", "random on 1 session")
    assert [line.chosen for line in learnt.lines] == [1, 0, 1]
    assert (learnt.total.trades.net, drawn.total.trades.net) == (0, -20_699)
    words = page_of(run)
    assert words.index("Chosen by policy/1.0.1") < words.index("Chosen by random")
    assert "Asked for as champion, seed 7." in words


def test_many_versions_are_counted_not_named(tmp_path: Path) -> None:
    named = [replace(w, version=f"policy/1.0.{n}") for n, w in enumerate(DAY)]
    again = [replace(w, version="policy/1.0.0") for w in NEXT]
    (table,) = tables(written(tmp_path, (*named, *again)))
    assert table.who == "5 versions, policy/1.0.0 to policy/1.0.4, on 2 sessions"


def test_what_it_has_learnt_from_is_no_evidence(tmp_path: Path) -> None:
    later = tuple(replace(window, version="policy/1.0.1") for window in NEXT)
    who = {"name": "1.0.1", "standing": "in-sample", "random": 0, "other_rules": []}
    run = written(tmp_path, DAY + later, chosen_by=who)
    learnt, drawn = tables(run)
    assert [line.a_window for line in learnt.lines] == [None] * 3
    assert drawn.total.a_window is not None
    assert "no evidence: in-sample" in page_of(run)


def test_a_session_counts_once_in_the_interval(tmp_path: Path) -> None:
    days = [f"2025-11-{day:02d}" for day in (3, 4, 6, 7, 10, 11, 12, 13, 14, 17, 18)]
    rng = np.random.default_rng(3)
    made = rng.integers(-90_000, 100_000, (len(days), 2)).tolist()
    trades, windows = [], []
    for day, (early, late) in zip(days, made, strict=True):
        windows += [Window(at, "alpha", day=day) for at in ("09:55:00", "11:55:00", "13:55:00")]
        for at, net in (("10:00:00", early), ("12:00:00", late)):
            trades.append(Trade((net,), (0,), day=day, entered=at, left="15:00:00"))
    (table,) = tables(write_choices(write_run(tmp_path / "run", trades), windows))
    sums = np.sum(made, axis=1)
    assert table.lines[0].a_window == mean_interval(sums, np.full(len(days), 3))
    assert table.lines[0].a_window.is_known
    assert not table.lines[0].is_small
    assert table.picture.sessions == 11


def test_the_picture_is_the_share_of_sessions_at_each_time(tmp_path: Path) -> None:
    windows = (
        Window("10:00:00", "alpha"),
        Window("10:05:00", "none"),
        Window("10:00:00", "beta", day="2025-11-21"),
        Window("10:05:00", "none", ALPHA, day="2025-11-21"),
        Window("10:15:00", "none", NONE, day="2025-11-21"),
    )
    run = write_run(tmp_path / "run", [], Recorded(strategies=BOTH))
    (table,) = tables(write_choices(run, windows))
    picture = table.picture
    assert (picture.first, picture.last, picture.width) == ("10:00", "10:20", 4)
    # alpha in both sessions; beta at 10:00 in both, at 10:05 in one; aside always, 10:10 unasked
    assert picture.possible == ["M0 1V0h2V1z", "M0 1V0h1V1zM1 1V.5h1V1z", "M0 1V0h2V1zM3 1V0h1V1z"]
    assert picture.chosen[0] == "M.09 1V.5h.82V1z"
    assert picture.chosen[2] == "M1.09 1V0h.82V1zM3.09 1V0h.82V1z"
    assert picture.marks == [("10:05", 0.25), ("10:10", 0.5), ("10:15", 0.75)]


@pytest.mark.skipif(shutil.which("tidy") is None, reason="no tidy installed (Debian: tidy)")
def test_the_section_is_valid_html(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(page_of(written(tmp_path)), "utf-8")
    done = subprocess.run(["tidy", "-e", "-q", "-utf8", page], capture_output=True, check=False)
    assert done.stderr.decode() == ""


def test_a_run_without_a_policy_has_no_such_section(tmp_path: Path) -> None:
    html = page_of(write_run(tmp_path / "run", TRADES))
    assert "policy chose" not in html
    assert "#choices" not in html


def test_a_real_run_adds_up_in_the_table(tmp_path: Path) -> None:
    store_simulation(Simulation(days=2, seed=11, row_seconds=120.0), Store(tmp_path / "store"))
    run = tmp_path / "run"
    asked = ["backtest", "--store", str(tmp_path / "store"), "--policy", "random", "--out"]
    assert main([*asked, str(run)]) == 0
    summary = json.loads((run / "summary.json").read_text())
    (table,) = tables(run)
    chosen = {line.trades.label: line.chosen for line in table.lines if line.chosen}
    chosen["none"] = chosen.pop("standing aside")
    assert chosen == summary["choices"]
    assert table.total.trades.trades == summary["trades"] > 0
    assert sum(line.trades.net for line in table.lines) == round(100 * summary["net_pnl"])
    rows = Page(page_of(run)).cells
    (foot,) = [row for row in rows if row[0] == "all windows"]
    assert foot[1:3] == ["150", f"{summary['trades']}"]


def lose_one(run: Path) -> None:
    told = json.loads((run / "summary.json").read_text())
    told["choices"]["alpha"] -= 1
    (run / "summary.json").write_text(json.dumps(told))


def choose_another(run: Path) -> None:
    swap = {"alpha": "beta", "beta": "alpha"}
    windows = [replace(w, chosen=swap.get(w.chosen, "none"), possible=BOTH) for w in DAY + NEXT]
    write_choices(run, windows)


def begin_late(run: Path) -> None:
    write_choices(run, [Window("11:00:00", "alpha"), *NEXT])


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lose_one, "other choices than summary.json"),
        (choose_another, "NIFTY-20251120-0001 is of a strategy that was not chosen then"),
        (begin_late, "NIFTY-20251120-0001 is of a strategy that was not chosen then"),
        (lambda run: (run / "choices.parquet").write_bytes(b"PAR1"), "cannot be read"),
    ],
)
def test_files_that_disagree_are_refused(tmp_path: Path, harm, said: str) -> None:
    run = written(tmp_path)
    harm(run)
    with pytest.raises(DamagedError, match=said):
        tables(run)
