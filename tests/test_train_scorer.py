"""``optiq train-scorer``: from stored days to a candidate that says what it is worth."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recorded import RECORDED, needs_recordings
from typer.testing import CliRunner, Result

from optiq.cli.app import app
from optiq.errors import InputError, MissingDataError
from optiq.learn import registry
from optiq.learn.measured import Measured
from optiq.learn.scorer.export import export
from optiq.learn.scorer.model import ScorerModel
from optiq.learn.trials import trials
from optiq.market.plants import Momentum
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store

INSTANT = ("--set", "walk.latency_s=0")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirteen planted sessions, ten minutes a row."""
    root = tmp_path_factory.mktemp("scorer")
    market = Simulation(days=13, seed=4, plants=(Momentum(2.0),), row_seconds=600.0)
    store_simulation(market, Store(root / "store"))
    return root


def optiq(folder: Path, *words: object) -> Result:
    places = ("--store", folder / "store", "--models", folder / "models")
    return CliRunner().invoke(app, ["train-scorer", *map(str, (*places, *words))])


def answer(folder: Path, *words: object) -> dict[str, Any]:
    done = optiq(folder, *INSTANT, "--json", *words)
    assert done.exit_code == 0, done.output
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.fixture(scope="module")
def told(folder: Path) -> dict[str, Any]:
    return answer(folder, "--trials", 1)


def test_it_registers_a_candidate_and_promotes_nothing(folder, told):
    assert told["ok"] is True
    assert told["promoted"] is False
    assert "never promotes" in told["reason"]
    assert registry.aliases(folder / "models", "scorer")["candidate"] == told["version"]
    assert registry.aliases(folder / "models", "scorer")["champion"] is None
    assert told["seen_until"] == told["sessions"]["last"]
    assert (folder / "models" / "scorer" / told["version"] / "card.html").is_file()


def test_every_figure_is_measured_after_its_fit_beside_baselines(folder, told):
    card = registry.load(folder / "models", "scorer", told["version"]).card
    assert {*card["baselines"]} == {"buying everything", "moneyness alone"}
    figures = [Measured.from_json(one) for one in card["figures"]]
    named = {one.metric for one in figures}
    wanted = {"AUC", "Brier", "Brier skill", "log loss", "ECE", "precision, top 10 a day"}
    wanted |= {"lift, top decile", "net P&L per trade, top decile", "coverage"}
    assert wanted <= named
    for one in figures:
        assert one.evidence.tested_from > one.evidence.fitted_until
        assert one.interval.sessions <= 12
    assert len(card["tables"]["deciles"]["rows"]) == 10
    assert sum(one["share"] for one in card["importance"]) == pytest.approx(1.0)
    assert "latency_s 0" in card["label"]
    assert any("base rate" in limit for limit in card["limits"])


def test_the_same_rows_give_the_same_model(folder, told):
    again = answer(folder, "--trials", 1)
    models = folder / "models"
    one, other = (registry.load(models, "scorer", v["version"]) for v in (told, again))
    assert one.files == other.files
    assert {**told, "elapsed_s": 0}["figures"] == again["figures"]


def test_every_fit_is_a_line_in_the_ledger_of_trials(folder, told):
    lines = trials(folder / "models", "scorer")
    configs = {line.config_sha256 for line in lines}
    assert len(configs) == 2  # the usual settings and one drawn
    assert len(lines) % (2 * 5) == 0  # each in four folds and for good
    (days,) = {tuple(line.daily) for line in lines if line.daily}
    card = registry.load(folder / "models", "scorer", told["version"]).card
    assert len(days) == max(one["sessions"] for one in card["figures"])
    assert card["trials"]["fits"] == len(lines)
    assert card["trials"]["deflated_sharpe"] is None  # one series is nothing to choose from


def test_one_session_has_figures_and_no_interval(tmp_path):
    """The edge is real, and yet nothing is claimed: one path is one observation."""
    market = Simulation(days=1, seed=1, plants=(Momentum(2.0),), start=dt.date(2025, 1, 3))
    store_simulation(market, Store(tmp_path / "store"))
    done = optiq(tmp_path, "--lookback", "1d")
    assert done.exit_code == 0, done.output
    assert "1 session: no interval" in done.stdout
    card = registry.load(tmp_path / "models", "scorer", "candidate").card
    assert card["sessions"]["n"] == 1
    (within,) = (one for one in card["figures"] if one["low"] is not None)
    assert within["metric"] == "AUC within one session"
    assert within["sessions"] == 1
    assert "of 30 minutes; not over sessions" in within["note"]
    assert within["low"] <= 0.5 <= within["high"]
    assert "within one session" in done.stdout


def test_what_is_exported_says_what_the_model_says(folder, told, tmp_path):
    import joblib
    import lightgbm

    stored = registry.load(folder / "models", "scorer", told["version"])
    model = ScorerModel.from_files(stored.files)
    features = np.random.default_rng(0).standard_normal((50, 34)).astype(np.float32)
    for name in ("scorer.txt", "scorer.pkl"):
        export(model, told["version"], tmp_path / name)
    held = joblib.load(tmp_path / "scorer.pkl")  # ours, made a line above
    text = lightgbm.Booster(model_file=str(tmp_path / "scorer.txt"))
    for booster in (held["model"], text):
        assert np.array_equal(booster.predict(features, raw_score=True), model.margin(features))
    assert held["version"] == told["version"]
    assert held["features"] == stored.card["features"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--date", "2019-01-01"), MissingDataError.exit_code, "no NIFTY day 2019-01-01"),
        (("--output", "model.exe"), InputError.exit_code, "cannot export"),
        (("--rule", "scalping_gamma"), InputError.exit_code, "no strategy named"),
        (("--underlying", "BANKNIFTY"), MissingDataError.exit_code, "holds no BANKNIFTY"),
        (("--lookback", "soon"), InputError.exit_code, "no number of sessions"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(folder, words, code, says):
    done = optiq(folder, *words)
    error = done.exception
    text = done.output + str(error)
    assert getattr(error, "exit_code", done.exit_code) == code
    assert says in text


def test_snapshots_too_far_apart_to_fill_say_what_to_do(folder):
    done = optiq(folder)
    assert getattr(done.exception, "exit_code", 0) == 4
    assert "latency_s=0" in getattr(done.exception, "hint", "")


@needs_recordings
def test_recorded_sessions_give_a_card_that_claims_nothing(tmp_path):
    done = CliRunner().invoke(
        app, ["ingest", str(RECORDED / "collector"), "--store", str(tmp_path / "store")]
    )
    assert done.exit_code == 0, done.output
    done = optiq(tmp_path, "--date", "2026-08-18", "--lookback", "1", "--json")
    told = json.loads(done.stdout)
    assert any("1 session: no interval" in note for note in told["notes"])
    assert any("have no label" in note for note in told["notes"])
