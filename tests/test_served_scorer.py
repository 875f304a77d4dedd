"""A scorer in a run: point in time, refused where it has learnt, the same in paper trading."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from small_models import card
from test_scorer import CALIBRATE, QUESTION, QUICK, TRAIN

from optiq.cli.app import main
from optiq.errors import DamagedError, InputError, MissingDataError
from optiq.learn import registry
from optiq.learn.scorer.fit import NAMES
from optiq.learn.scorer.model import KIND, trained
from optiq.learn.scorer.served import ServedScorer, scorer_named
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.report.tables import about_scorer
from optiq.trade.strategies import built_in

FIRST, SECOND, THIRD = dt.date(2025, 1, 1), dt.date(2025, 1, 2), dt.date(2025, 1, 3)
TRADES = "trades.parquet"
GAMMA = ("--strategy", "gamma_scalping", "--set", "limits.min_score=1")


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> tuple[Path, Path]:
    """Three simulated days and two scorers: 1.0.0 has seen 2024, 1.0.1 the first of the days."""
    root = tmp_path_factory.mktemp("served")
    store_simulation(Simulation(days=3, seed=11), Store(root / "store"))
    for rounds, seen in ((20, "2024-12-31"), (30, str(FIRST))):
        model, _ = trained(QUESTION, TRAIN, CALIBRATE, replaced(rounds))
        registry.save(root / "models", KIND, model.files(), card(seen, NAMES))
    registry.promote(root / "models", KIND, "1.0.1", takes_effect=SECOND, reason="test")
    return root / "store", root / "models"


def out(folder: Path, name: str) -> tuple[str, str]:
    return "--out", str(folder / name)


def replaced(rounds: int):
    import dataclasses

    return dataclasses.replace(QUICK, max_rounds=rounds)


def run(places, command: str, *more: str) -> tuple[int, dict]:
    import contextlib
    import io

    store, models = places
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        status = main([command, "--store", str(store), "--models", str(models), "--json", *more])
    return status, json.loads(out.getvalue().splitlines()[-1])


def test_the_champion_scores_only_from_the_session_it_took_effect_on(places, tmp_path):
    status, told = run(
        places, "backtest", *GAMMA, "--scorer", "champion", "--out", str(tmp_path / "a")
    )
    assert status == 0
    assert set(told["scorer"].pop("manifests")) == {"1.0.1"}
    assert told["scorer"] == {
        "name": "champion",
        "standing": "champion",
        "versions": {"1.0.1": 2},
        "unscored": 1,
    }
    import pandas as pd

    trades = pd.read_parquet(tmp_path / "a" / TRADES)
    scored = trades.score.notna().groupby(trades.decided_ts.dt.tz_convert("Asia/Kolkata").dt.date)
    assert scored.any().to_dict() == {day: day >= SECOND for day in scored.groups}
    assert {FIRST, SECOND} <= set(scored.groups)
    assert "no scorer was in force on 1 session" in about_scorer(told["scorer"])


def test_a_day_it_has_learnt_from_is_refused_unless_it_says_so(places, tmp_path):
    status, told = run(
        places, "backtest", *GAMMA, "--scorer", "1.0.1", "--out", str(tmp_path / "b")
    )
    assert (status, told["error"]["code"]) == (2, "bad_input")
    assert "has learnt from 1 of these 3 sessions (up to 2025-01-01)" in told["error"]["message"]
    assert not (tmp_path / "b").exists()
    status, told = run(
        places, "backtest", *GAMMA, "--scorer", "1.0.1", "--in-sample", "--out", str(tmp_path / "b")
    )
    assert (status, told["scorer"]["standing"]) == (0, "in-sample")
    assert about_scorer(told["scorer"])[0].startswith("IN-SAMPLE")
    main(["report", str(tmp_path / "b")])
    assert '<body class="in-sample">' in (tmp_path / "b" / "report.html").read_text()


def test_a_version_that_was_never_promoted_is_provisional(places, tmp_path):
    status, told = run(
        places, "backtest", *GAMMA, "--scorer", "1.0.0", "--out", str(tmp_path / "c")
    )
    assert (status, told["scorer"]["standing"]) == (0, "provisional")
    assert about_scorer(told["scorer"]) == [
        "scores by scorer 1.0.0, provisional: it was not the champion then"
    ]
    main(["report", str(tmp_path / "c")])
    page = (tmp_path / "c" / "report.html").read_text()
    assert "provisional: it was not the champion then" in page
    assert '<body class="in-sample">' not in page


def test_a_run_with_a_scorer_is_explained_with_it(places, tmp_path):
    run(places, "backtest", *GAMMA, "--scorer", "champion", "--out", str(tmp_path / "d"))
    status, told = run(places, "explain", "1", "--run", str(tmp_path / "d"))
    assert status == 0, told


@pytest.mark.parametrize("name", ["champion", "1.0.0"])
def test_paper_trading_with_a_scorer_is_the_backtest_with_it(places, tmp_path, name):
    day = ("--date", str(SECOND), "--scorer", name)
    run(places, "backtest", *GAMMA, *day, "--out", str(tmp_path / "run"))
    status, told = run(places, "paper-run", *GAMMA, *day, "--session", name.replace(".", "-"))
    assert status == 0, told
    one, other = (Path(folder) / TRADES for folder in (tmp_path / "run", told["run"]))
    assert one.read_bytes() == other.read_bytes()
    assert told["scorer"]["versions"] == {"1.0.1" if name == "champion" else name: 1}
    status, proof = run(places, "parity", name.replace(".", "-"))
    assert (status, proof["mismatches"]) == (0, 0)
    kept = json.loads((Path(told["run"]) / "summary.json").read_text())
    assert kept["scorer"]["standing"] == ("champion" if name == "champion" else "provisional")


def test_a_scorer_in_a_folder_is_stored_once_and_scores_as_the_version_does(places, tmp_path):
    folder = shutil.copytree(places[1] / KIND / "1.0.0", tmp_path / "mine")
    day, mine = ("--date", str(SECOND)), (places[0], tmp_path / "models")
    _, known = run(places, "backtest", *GAMMA, *day, "--scorer", "1.0.0", *out(tmp_path, "known"))
    for name in ("a", "b"):
        asked = ("backtest", *GAMMA, *day, "--scorer", str(folder), *out(tmp_path, name))
        status, told = run(mine, *asked)
        assert (status, told["net_pnl"], told["orders"]) == (0, known["net_pnl"], known["orders"])
    assert registry.versions(mine[1], KIND) == ["1.0.0"]
    assert told["scorer"]["name"] == "1.0.0"


def test_a_paper_session_says_at_its_start_that_its_scores_are_provisional(places, capsys):
    store, models = map(str, places)
    words = ["paper-run", "--store", store, "--models", models, *GAMMA, "--date", str(SECOND)]
    assert main([*words, "--scorer", "1.0.0", "--session", "told"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first == "scores by scorer 1.0.0, provisional: it was not the champion then"


def test_recovery_and_parity_refuse_without_the_sessions_scorer(places, tmp_path):
    day = ("--date", str(SECOND), "--session", "bound")
    assert run(places, "paper-run", *GAMMA, *day, "--scorer", "1.0.0")[0] == 0
    without = (places[0], tmp_path / "models")
    for command in (("parity", "bound"), ("paper-run", *GAMMA, *day, "--scorer", "1.0.0")):
        status, told = run(without, *command)
        assert (status, told["error"]["code"]) == (3, "damaged")


def test_a_version_promoted_later_is_provisional_on_the_sessions_before(places):
    served = ServedScorer(places[1], "1.0.1")
    assert served.told([THIRD])["standing"] == "by version"
    registry.promote(places[1], KIND, "1.0.0", takes_effect=dt.date(2025, 2, 3), reason="test")
    other = ServedScorer(places[1], "1.0.0")
    assert other.told([THIRD])["standing"] == "provisional"
    assert other.told([dt.date(2025, 2, 4)])["standing"] == "by version"


def test_a_promotion_in_mid_run_changes_nothing(places, tmp_path):
    import shutil

    shutil.copytree(places[1], tmp_path / "models")
    served = ServedScorer(tmp_path / "models")
    assert served.version(THIRD) == "1.0.1"
    registry.promote(tmp_path / "models", KIND, "1.0.0", takes_effect=THIRD, reason="test")
    assert served.version(THIRD) == "1.0.1"
    assert ServedScorer(tmp_path / "models").version(THIRD) == "1.0.0"


def test_trees_of_other_features_give_no_signal(places, tmp_path):
    model, _ = trained(QUESTION, TRAIN, CALIBRATE, replaced(5))
    files = model.files()
    files["model.txt"] = files["model.txt"].replace(b"return_5m", b"return_6m")
    registry.save(tmp_path, KIND, files, card("2024-12-31", NAMES))
    with pytest.raises(DamagedError, match="other features"):
        scorer_named(tmp_path, "1.0.0", [SECOND], "NIFTY")


def test_a_session_is_not_resumed_with_another_scorer(places):
    day = ("--date", str(THIRD), "--session", "scored")
    assert run(places, "paper-run", *GAMMA, *day, "--scorer", "champion")[0] == 0
    status, told = run(places, "paper-run", *GAMMA, *day, "--scorer", "1.0.0")
    assert status == 2
    assert "started with another scorer" in told["error"]["message"]


def test_a_damaged_scorer_gives_no_signal(places, tmp_path):
    import shutil

    store, models = places
    shutil.copytree(models, tmp_path / "models")
    trees = tmp_path / "models" / KIND / "1.0.1" / "model.txt"
    trees.write_bytes(trees.read_bytes().replace(b"leaf", b"laef", 1))
    for name in ("champion", "1.0.1"):
        status, told = run(
            (store, tmp_path / "models"), "backtest", *GAMMA, "--date", str(SECOND),
            "--scorer", name, "--out", str(tmp_path / "never"),
        )  # fmt: skip
        assert (status, told["error"]["code"]) == (3, "damaged")
        assert not (tmp_path / "never").exists()


def test_features_of_another_optiq_are_refused(places, tmp_path):
    store, _ = places
    model, _ = trained(QUESTION, TRAIN, CALIBRATE, replaced(5))
    files = model.files()
    files["features.json"] = files["features.json"].replace(b"return_5m", b"return_6m")
    registry.save(tmp_path / "models", KIND, files, card("2024-12-31", NAMES))
    status, told = run((store, tmp_path / "models"), "backtest", *GAMMA, "--scorer", "1.0.0")
    assert status == 3
    assert "other features" in told["error"]["message"]


def test_what_is_not_there_is_said(places, tmp_path):
    _, models = places
    with pytest.raises(MissingDataError, match="no scorer was ever promoted"):
        scorer_named(tmp_path, "champion", [SECOND], "NIFTY")
    with pytest.raises(InputError, match="knows nothing of BANKNIFTY"):
        scorer_named(models, "1.0.0", [SECOND], "BANKNIFTY")
    assert scorer_named(models, None, [SECOND], "NIFTY") is None
    assert scorer_named(models, "none", [SECOND], "NIFTY") is None


def test_orders_rank_by_strength_where_no_scorer_serves(places):
    store, models = places
    panel, context = Store(store).read_panel("NIFTY", FIRST), Store(store).context("NIFTY", FIRST)
    orders = built_in("gamma_scalping").entries(panel, context)
    assert ServedScorer(models)(panel, context, orders) is None
    known = ServedScorer(models, "1.0.0")(panel, context, orders)
    assert known is not None
    assert np.isfinite(known).mean() > 0.9
