"""What a paper session logs when it is over is what `optiq episodes build` makes of its day."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from paper_days import copied, ensemble, in_a_child, paper_run, plan_of, with_monitor_rows

from optiq.cli.app import main
from optiq.market.context import Context
from optiq.market.ingest.pipeline import ingest
from optiq.market.panel import Panel
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.run.choosing import chooser_named, decision_rows
from optiq.run.episodes import counted, write
from optiq.run.journal import NAME
from optiq.run.session_episodes import session_episodes
from optiq.run.sessions import Ensemble, opened

SMALL = Simulation(days=1, seed=31, row_seconds=120.0, strikes_each_side=12, expiries=2)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("store")
    store_simulation(SMALL, Store(root))
    return root


@pytest.fixture(scope="module")
def day(store) -> Panel:
    (only,) = Store(store).days("NIFTY")
    return Store(store).read_panel("NIFTY", only.date)


def logged(store: Path) -> list[dict[str, Any]]:
    """The only day's episodes, all but the name of who made them."""
    (file,) = (store / "episodes").rglob("*.parquet")
    return [{k: v for k, v in line.items() if k != "session"} for line in told(file)]


def told(file: Path) -> list[dict[str, Any]]:
    return [
        {name: str(value) for name, value in line.items()}  # NaN is NaN as text
        for line in pq.read_table(file).to_pylist()
    ]


@pytest.mark.parametrize("policy", [["--policy", "random", "--seed", "4"], []])
def test_a_session_logs_what_a_build_of_its_day_makes(store, day, tmp_path, capsys, policy):
    """Without a policy all trade, and the choices are those that the random policy would make."""
    paper = copied(store, tmp_path / "paper")
    assert paper_run(paper, day.date, "--json", *policy)() == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    built = copied(store, tmp_path / "built")
    assert main(["episodes", "build", "--store", str(built), *policy]) == 0
    assert logged(paper) == logged(built)
    count = len(decision_rows(day))
    assert summary["episodes"] == f"{count} logged"
    assert counted(paper)[0]["episodes"] == count
    (file,) = (paper / "episodes").rglob("*.parquet")
    assert {line["session"] for line in told(file)} == {"replay"}
    before = file.read_bytes()
    assert paper_run(paper, day.date, *policy)() == 0
    assert file.read_bytes() == before, "looked at again, it is the same"


def test_with_monitor_rows_too_and_the_choices_are_the_journaled_ones(tmp_path, day):
    who = ensemble()
    chooser = chooser_named("random", who.strategies, 9)
    who = Ensemble(who.settings, who.strategies, chooser=chooser)
    with opened(tmp_path / "s", plan_of(day, Context(), who), who) as session:
        session.run(with_monitor_rows(day, seed=2), [])
    with opened(tmp_path / "s", plan_of(day, Context(), who), who) as again:
        lines = session_episodes("s", again.day, seed=0)
        chosen = [event.told["chosen"] for event in again.journal.events if event.kind == "chosen"]
    names = [*(strategy.name for strategy in who.strategies), "none"]
    assert [names[line["choice"]] for line in lines] == chosen
    assert {(line["policy_version"], line["seed"]) for line in lines} == {("random", 9)}
    assert max(line["row"] for line in lines) > day.n_rows, "rows of the day, not of its chain"
    kept = tmp_path / "store"
    assert not ingest([str(tmp_path / "s" / NAME)], Store(kept)).failed
    assert main(["episodes", "build", "--store", str(kept), "--seed", "9"]) == 0
    write(tmp_path / "log", day.underlying, day.date, lines, who.strategies)
    assert logged(tmp_path / "log") == logged(kept)


def test_nothing_is_logged_before_the_end(store, day, tmp_path):
    paper = copied(store, tmp_path / "paper")
    assert in_a_child(lambda: _killed(paper, day)) == 137
    assert not (paper / "episodes").exists()
    assert in_a_child(paper_run(paper, day.date)) == 0
    assert counted(paper)[0]["sessions"] == 1


def _killed(paper: Path, day: Panel) -> int:
    os.environ["OPTIQ_TEST_DIE_AT"] = "200"
    return paper_run(paper, day.date)()


def test_a_session_of_some_strategies_logs_none_and_says_so(store, day, tmp_path, capsys):
    paper = copied(store, tmp_path / "paper")
    assert paper_run(paper, day.date, "--strategy", "gamma_scalping")() == 0
    shown = capsys.readouterr().out
    assert "none: the session ran 1 of its own" in shown
    assert not (paper / "episodes").exists()
