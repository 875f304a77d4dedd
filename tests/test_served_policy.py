"""A policy in a run: point in time, refused where it has learnt, the same in paper trading."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from small_policies import files_of, fitted_on, remembering, saved

from optiq.cli.app import main
from optiq.errors import DamagedError, InputError
from optiq.learn import registry
from optiq.learn.policy.bundle import KIND
from optiq.learn.policy.episode_table import OBSERVED
from optiq.learn.policy.served import ServedPolicy, policy_named
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.report.tables import about_policy
from optiq.run.backtest import Settings
from optiq.run.choosing import NONE, equal
from optiq.run.explain_choice import find_choice
from optiq.run.explain_choice import told as about
from optiq.run.recorded import read_run
from optiq.run.user_strategy import find_all

FIRST, SECOND, THIRD = dt.date(2025, 1, 1), dt.date(2025, 1, 2), dt.date(2025, 1, 3)
DAYS = [FIRST, SECOND, THIRD]
CHOICES = "choices.parquet"


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> tuple[Path, Path]:
    """Three simulated days and policies: ridge 1.0.0 has seen 2024, trees 1.0.1 the first day,
    1.0.2, which remembers, 2024; 1.0.1 serves from the second day on."""
    root = tmp_path_factory.mktemp("served")
    store, models = root / "store", root / "models"
    store_simulation(Simulation(days=3, seed=11, row_seconds=120.0), Store(store))
    fitted, about = fitted_on(store)
    saved(models, files_of(fitted, about), "2024-12-31")
    saved(models, files_of(fitted, about, "lightgbm"), str(FIRST))
    saved(models, remembering(fitted, about), "2024-12-31")
    registry.promote(models, KIND, "1.0.1", takes_effect=SECOND, reason="test")
    return store, models


def run(places, command: str, *more: str) -> tuple[int, dict]:
    store, models = places
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        status = main(
            [*command.split(), "--store", str(store), "--models", str(models), "--json", *more]
        )
    return status, json.loads(out.getvalue().splitlines()[-1])


def choices(folder: Path | str) -> list[dict]:
    return pq.read_table(Path(folder) / CHOICES).to_pylist()


def test_the_champion_chooses_from_the_session_it_took_effect_on(places, tmp_path):
    status, told = run(places, "backtest", "--policy", "champion", "--out", str(tmp_path / "a"))
    assert status == 0, told
    assert set(told["chosen_by"].pop("manifests")) == {"1.0.1"}
    assert (told["policy"], told["chosen_by"]) == (
        "champion",
        {"name": "champion", "standing": "champion", "versions": {"1.0.1": 2}, "random": 1}
        | {"other_rules": []},
    )
    assert about_policy(told["chosen_by"]) == [
        "no policy was in force on 1 session: the choice was random"
    ]
    made = choices(tmp_path / "a")
    assert told["choices"] == dict(Counter(line["chosen"] for line in made))
    who = {(line["ts"].date(), line["version"]) for line in made}
    assert who == {(FIRST, "random"), (SECOND, "policy/1.0.1"), (THIRD, "policy/1.0.1")}
    assert len({line["chosen"] for line in made if line["ts"].date() > FIRST}) > 2


@pytest.mark.parametrize("version", ["policy/1.0.0", "candidate"])
def test_paper_trading_is_the_backtest_decision_for_decision(places, tmp_path, capsys, version):
    day, name = ("--date", str(SECOND), "--policy", version), version.replace("/", "-")
    status, told = run(places, "backtest", *day, "--out", str(tmp_path / "run"))
    assert (status, told["chosen_by"]["standing"]) == (0, "provisional"), told
    status, told = run(places, "paper-run", *day, "--session", name)
    assert status == 0, told
    assert told["chosen_by"]["standing"] == "provisional"
    for file in (CHOICES, "decisions.parquet", "trades.parquet"):
        assert (tmp_path / "run" / file).read_bytes() == (Path(told["run"]) / file).read_bytes()
    status, proof = run(places, "parity", name, str(tmp_path / "run"))
    assert (status, proof["mismatches"]) == (0, 0), proof
    assert proof["choices"] == len(choices(told["run"])) == 75
    assert len({line["chosen"] for line in choices(told["run"])}) > 2
    status, story = run(places, "explain", "D40", "--run", name)
    assert (status, story["chosen"]) == (0, choices(told["run"])[39]["chosen"]), story
    assert main(["sessions", "show", name, "--store", str(places[0])]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if re.match(r"\d\d:\d\d:00 chosen   \w+", line)]) == 75


def test_a_session_of_the_champion_is_proved_with_the_version_that_it_was(places, tmp_path):
    day = ("--date", str(THIRD), "--policy", "champion", "--session", "champion")
    assert run(places, "paper-run", *day)[0] == 0
    assert run(places, "parity", "champion")[0] == 0
    without = (places[0], tmp_path / "models")
    status, told = run(without, "parity", "champion")
    assert (status, told["error"]["code"]) == (3, "damaged")
    other = run(places, "paper-run", *day[:2], "--policy", "policy/1.0.0", *day[4:])
    assert other[0] == 2
    assert "started with another policy" in other[1]["error"]["message"]


def test_a_day_it_has_learnt_from_is_refused_unless_it_says_so(places, tmp_path):
    asked = ("backtest", "--policy", "policy/1.0.1", "--out", str(tmp_path / "b"))
    status, told = run(places, *asked)
    assert (status, told["error"]["code"]) == (2, "bad_input")
    assert "has learnt from 1 of these 3 sessions (up to 2025-01-01)" in told["error"]["message"]
    assert not (tmp_path / "b").exists()
    status, told = run(places, *asked, "--in-sample")
    assert (status, told["chosen_by"]["standing"]) == (0, "in-sample")
    assert about_policy(told["chosen_by"])[0].startswith("IN-SAMPLE: policy 1.0.1")
    main(["report", str(tmp_path / "b")])
    assert '<body class="in-sample">' in (tmp_path / "b" / "report.html").read_text()


def test_a_run_under_other_rules_than_it_learnt_says_so(places, tmp_path, capsys):
    store, models = map(str, places)
    asked = ["backtest", "--store", store, "--models", models, "--date", str(SECOND)]
    asked += ["--policy", "champion", "--set", "walk.latency_s=0", "--out", str(tmp_path / "o")]
    assert main(asked) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "chosen by champion: policy/1.0.1 on 1 session" in said
    assert "policy 1.0.1 learnt under other settings of the walk, the charges or the" in said


def test_a_promotion_amid_a_span_serves_from_its_session_on(places, tmp_path):
    import shutil

    shutil.copytree(places[1], tmp_path / "models")
    registry.promote(tmp_path / "models", KIND, "1.0.0", takes_effect=THIRD, reason="test")
    status, told = run(
        (places[0], tmp_path / "models"), "backtest", "--policy", "champion",
        "--out", str(tmp_path / "run"),
    )  # fmt: skip
    assert status == 0
    assert told["chosen_by"]["versions"] == {"1.0.1": 1, "1.0.0": 1}
    who = {line["ts"].date(): line["version"] for line in choices(tmp_path / "run")}
    assert who == {FIRST: "random", SECOND: "policy/1.0.1", THIRD: "policy/1.0.0"}
    served = ServedPolicy(tmp_path / "models")
    assert served.version(THIRD) == "1.0.0"
    registry.promote(tmp_path / "models", KIND, "1.0.1", takes_effect=THIRD, reason="test")
    assert served.version(THIRD) == "1.0.0", "a promotion in mid-run changes nothing"


def test_episodes_are_logged_with_whoever_chose_on_their_session(places, tmp_path):
    store = tmp_path / "store"
    store.mkdir()
    for part in ("chain", "manifest"):
        (store / part).symlink_to(places[0] / part)
    status, told = run((store, places[1]), "episodes build", "--policy", "champion")
    assert status == 0, told
    who = {
        file.parent.name.partition("=")[2]: set(
            pq.read_table(file, columns=["policy_version"], partitioning=None)[0].to_pylist()
        )
        for file in (store / "episodes").rglob("*.parquet")
    }
    assert who == {
        str(FIRST): {"random"},
        str(SECOND): {"policy/1.0.1"},
        str(THIRD): {"policy/1.0.1"},
    }


def test_whom_it_chose_last_is_shown_to_one_that_remembers(places):
    chooser = policy_named(places[1], "1.0.2", find_all([]), 0, [SECOND], "NIFTY")
    bundle = ServedPolicy(places[1]).bundle("1.0.2")
    panel, context = Store(places[0]).read_panel("NIFTY", SECOND), Store(places[0])
    context = context.context("NIFTY", SECOND)
    rows, strategies, limits = np.arange(panel.n_rows), find_all([]), Settings().limits
    made = chooser.decide(panel, rows, context, strategies, limits)
    last, differs = NONE, 0
    for decision in made:
        shown = np.eye(9)[last]  # -1, aside, is the ninth
        said = bundle.preferences(decision.observation[None], shown[None])[0]
        assert np.array_equal(decision.choice.preferences, said, equal_nan=True)
        aside = bundle.preferences(decision.observation[None])[0]
        differs += not np.array_equal(said, aside, equal_nan=True)
        last = decision.choice.index
    assert differs > 10


def test_what_moved_a_linear_choice_adds_up_to_it(places, tmp_path):
    out = ("--out", str(tmp_path / "run"))
    assert run(places, "backtest", "--date", str(SECOND), "--policy", "1.0.0", *out)[0] == 0
    choosers = ServedPolicy(places[1]).bundle("1.0.0").choosers
    assert list(choosers) == ["ridge"], "its rivals, LightGBM among them, are not loaded"
    ridge = choosers["ridge"]
    told = set()
    for number, line in enumerate(choices(tmp_path / "run"), 1):
        if line["chosen"] in told or not any(line["mask"]):
            continue
        told.add(line["chosen"])
        status, story = run(places, "explain", f"D{number}", "--run", str(tmp_path / "run"))
        assert status == 0, story
        moved, names = story["moved"], [one["name"] for one in story["strategies"]]
        assert (story["decision"], story["chosen"]) == (line["decision_id"], line["chosen"])
        assert moved["exact"]
        if line["chosen"] == "none":
            assert moved["rival"] == "none"
            assert moved["preference"] <= 0.0, "the best was no better than standing aside"
        else:
            assert moved["subject"] == line["chosen"]
            assert moved["ahead"] > 0.0
        moves = {one["name"]: one["moves"] for one in moved["observations"]}
        assert sum(moves.values()) + moved["at_mean"] == pytest.approx(moved["preference"])
        weights = ridge.weights[names.index(moved["subject"])]
        seen = np.array([np.nan if v is None else v for v in line["observation"]])
        by_hand = weights * ridge.statistics.scaled(seen)
        assert list(moves) != list(OBSERVED), "what moved most comes first"
        assert [moves[name] for name in OBSERVED] == pytest.approx(by_hand.tolist(), abs=1e-9)
    assert len(told) > 3
    status, story = run(places, "explain", "D75", "--run", str(tmp_path / "run"))
    assert (status, story["moved"], story["chosen"]) == (0, None, "none"), "nothing is possible"


def test_what_moved_the_others_is_each_observation_left_out(places, tmp_path, capsys):
    for version in ("1.0.1", "1.0.2"):
        name = str(tmp_path / version)
        asked = ("--date", str(SECOND), "--policy", version, "--out", name)
        assert run(places, "backtest", *asked)[0] == 0
        status, story = run(places, "explain", "d40", "--run", name)
        assert status == 0, story
        moved, bundle = story["moved"], ServedPolicy(places[1]).bundle(version)
        assert not moved["exact"]
        place = [one["name"] for one in story["strategies"]].index(moved["subject"])
        values = [line["value"] for line in story["observation"]]
        seen = np.array([np.nan if value is None else value for value in values])
        without = seen.copy()
        without[2] = bundle.about.statistics.mean[2]
        names = [one["name"] for one in moved["observations"]]
        assert ("last choice" in names) == bundle.remembers
        if not bundle.remembers:
            both = bundle.preferences(np.stack([seen, without]))[:, place]
            (third,) = [o for o in moved["observations"] if o["name"] == OBSERVED[2]]
            assert third["moves"] == both[0] - both[1]
        store, models = map(str, places)
        asked = ["explain", "D40", "--run", name, "--store", store, "--models", models]
        assert main([*asked, "--all-rows"]) == 0
        page = capsys.readouterr().out
        assert f"What moved it ({moved['chooser']}): " in page
        assert "the moves need not add up" in page


def test_a_choice_at_random_was_moved_by_nothing(places, tmp_path, capsys):
    out = tmp_path / "run"
    assert run(places, "backtest", "--policy", "random", "--seed", "7", "--out", str(out))[0] == 0
    status, story = run(places, "explain", "NIFTY-20250103-D0003", "--run", str(out))
    assert (status, story["moved"], story["seed"]) == (0, None, 7)
    line = choices(out)[2 * 75 + 2]
    assert (story["chosen"], story["row"]) == (line["chosen"], line["row"])
    trades = pq.read_table(out / "trades.parquet").to_pylist()
    recorded = read_run(out)
    stories = (about(find_choice(recorded, f"D{n}"), recorded) for n in range(1, 226))
    told = [trade for story in stories for trade in story["trades"]]
    assert sorted(one["trade"] for one in told) == sorted({line["trade_id"] for line in trades})
    assert sum(one["net_pnl"] for one in told) == pytest.approx(recorded.summary["net_pnl"])
    main(["explain", "D3", "--run", str(out), "--store", str(places[0])])
    assert "drawn with seed 7 among" in capsys.readouterr().out
    assert run(places, "explain", "D999", "--run", str(out))[0] == 10
    table = pq.read_table(out / CHOICES)
    chosen = ["iv_rank"] * len(table)
    at = table.column_names.index("chosen")
    pq.write_table(table.set_column(at, "chosen", [chosen]), out / CHOICES)
    status, told = run(places, "explain", "D3", "--run", str(out))
    assert (status, told["error"]["code"]) == (3, "damaged")


def test_equal_never_stands_aside_where_it_need_not():
    mask = np.array([True, False, True, True])
    draws = [equal(np.zeros(23), mask, np.random.default_rng(n)) for n in range(3_000)]
    assert np.allclose(draws[0].propensity, [1 / 3, 0, 1 / 3, 1 / 3])
    counts = np.unique([draw.index for draw in draws], return_counts=True)
    assert counts[0].tolist() == [0, 2, 3]
    assert (abs(counts[1] - 1_000) < 130).all()
    nobody = equal(np.zeros(23), np.zeros(4, bool), np.random.default_rng(0))
    assert (nobody.index, nobody.propensity.sum()) == (NONE, 0.0)


def test_what_a_policy_cannot_serve_is_refused_in_one_line(places, tmp_path):
    models, eight = places[1], find_all([])
    with pytest.raises(InputError, match="has learnt NIFTY, not BANKNIFTY"):
        policy_named(models, "1.0.0", eight, 0, [SECOND], "BANKNIFTY")
    with pytest.raises(InputError, match="has learnt NIFTY, not BANKNIFTY"):
        policy_named(models, "champion", eight, 0, [SECOND], "BANKNIFTY")
    with pytest.raises(InputError, match="and this run has gamma_scalping"):
        policy_named(models, "1.0.0", find_all(["gamma_scalping"]), 0, [SECOND], "NIFTY")
    with pytest.raises(InputError, match="no version '3'"):
        policy_named(models, "policy/3", eight, 0, [SECOND], "NIFTY")
    with pytest.raises(DamagedError, match=r"9\.9\.9 is not in"):
        policy_named(models, "policy/9.9.9", eight, 0, [SECOND], "NIFTY")
    assert policy_named(models, "none", eight, 0, [SECOND], "NIFTY") is None
    early = policy_named(tmp_path, "champion", eight, 0, [SECOND], "NIFTY")
    assert early.on("NIFTY", SECOND).who == "random"


def test_a_damaged_policy_chooses_nothing(places, tmp_path):
    import shutil

    shutil.copytree(places[1], tmp_path / "models")
    weights = tmp_path / "models" / KIND / "1.0.0" / "ridge.json"
    weights.write_bytes(weights.read_bytes().replace(b"0.", b"1.", 1))
    out = tmp_path / "never"
    status, told = run(
        (places[0], tmp_path / "models"), "backtest", "--policy", "policy/1.0.0", "--out", str(out)
    )
    assert (status, told["error"]["code"]) == (3, "damaged")
    assert not out.exists()
