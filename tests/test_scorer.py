"""A scorer learns, says the same twice, survives its files and never looks ahead."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from optiq.errors import DamagedError, InputError
from optiq.learn.scorer.calibration import Calibration, calibrated
from optiq.learn.scorer.fit import NAMES, Examples, FitSettings, fit, leaf_size
from optiq.learn.scorer.model import Question, ScorerModel, trained
from optiq.learn.scorer.serving import judges, scorer_from
from optiq.market.context import Context
from optiq.market.ingest import day_writer
from optiq.market.simulate import simulate_days
from optiq.market.simulated_settings import Simulation
from optiq.market.stored_panel import panel_from_columns
from optiq.run.prefix import require, scores_of
from optiq.trade.orders import ExitRule, Orders
from optiq.trade.strategies import built_in

RULE = ExitRule(target=0.15, stop=0.10)
QUESTION = Question("gamma_scalping", RULE, ("NIFTY",))
QUICK = FitSettings(max_rounds=60)


def examples(n: int, seed: int) -> Examples:
    """Rows whose first two features tell part of the outcome; a twentieth is missing."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((n, len(NAMES))).astype(np.float32)
    odds = features[:, 0] - 0.5 * features[:, 1]
    won = rng.random(n) < 1 / (1 + np.exp(-odds))
    features[rng.random(features.shape) < 0.05] = np.nan
    return Examples(features, won, np.ones(n), 30)


TRAIN, CALIBRATE, TEST = (examples(n, seed) for seed, n in enumerate((4_000, 2_000, 2_000)))


@pytest.fixture(scope="module")
def model() -> ScorerModel:
    return trained(QUESTION, TRAIN, CALIBRATE, QUICK)[0]


def test_the_same_input_gives_the_same_bytes_on_any_number_of_threads(model):
    few = dataclasses.replace(QUICK, max_rounds=8)
    one, again, on_two = (
        trained(QUESTION, TRAIN, CALIBRATE, few, threads=threads)[0] for threads in (1, 1, 2)
    )
    assert one.files() == again.files() == on_two.files()
    other = trained(QUESTION, TRAIN, CALIBRATE, dataclasses.replace(few, seed=1))[0]
    assert other.trees != one.trees


def test_it_finds_what_is_there_and_means_the_chance_it_says(model):
    from sklearn.metrics import roc_auc_score

    chance = model.chance(TEST.features)
    assert roc_auc_score(TEST.won, chance) > 0.72
    for low, high in ((0.0, 0.4), (0.4, 0.6), (0.6, 1.0)):
        said = (chance >= low) & (chance < high)
        assert TEST.won[said].mean() == pytest.approx(chance[said].mean(), abs=0.06)


def test_a_scorer_survives_its_files(model):
    again = ScorerModel.from_files(model.files())
    assert np.array_equal(again.chance(TEST.features), model.chance(TEST.features))
    assert again.sha256 == model.sha256
    assert again.question == model.question


def test_a_score_is_a_whole_percentage(model):
    score = model.score(TEST.features)
    assert np.array_equal(score, np.rint(100 * model.chance(TEST.features)))
    assert score.min() >= 0
    assert score.max() <= 100


def test_a_row_says_the_same_in_any_company(model):
    whole = model.chance(TEST.features)
    alone = [model.chance(TEST.features[i : i + 1])[0] for i in range(200)]
    assert np.array_equal(whole[:200], alone)


def test_it_cannot_say_where_half_the_features_are_unknown(model):
    features = TEST.features.copy()
    features[0, :] = np.nan
    assert np.isnan(model.chance(features)[0])
    assert not np.isnan(model.chance(features)[1:]).any()


@pytest.mark.parametrize("change", ["model.txt", "calibration.json", "features.json"])
def test_a_missing_file_is_damage(model, change):
    files = model.files()
    del files[change]
    with pytest.raises(DamagedError, match=change):
        ScorerModel.from_files(files)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("features.json", b'"delta"', b'"beta"'),
        ("features.json", b'"rule"', b'"role"'),
        ("features.json", b"}", b""),
        ("calibration.json", b'"kind"', b'"king"'),
        ("calibration.json", b"isotonic", b"diatonic"),
        ("calibration.json", b'"x": [', b'"x": [9e99,'),
        ("calibration.json", b'"y": [', b'"y": [NaN,'),
    ],
)
def test_a_changed_file_is_damage(model, name, old, new):
    files = model.files()
    assert old in files[name]
    files[name] = files[name].replace(old, new, 1)
    with pytest.raises(DamagedError):
        ScorerModel.from_files(files)


def test_nothing_can_be_learnt_from_winners_alone():
    winners = dataclasses.replace(TRAIN, won=np.ones(len(TRAIN), bool))
    with pytest.raises(InputError, match="4000 of 4000"):
        fit(winners, CALIBRATE)


@pytest.mark.parametrize(
    ("rows", "sessions", "least"),
    [
        (54_000, 1, 300),
        (2_000, 1, 40),
        (500, 1, 20),
        (216_000, 250, 13_500),  # twenty sessions are 17,280 rows: a sixteenth is less
        (216_000, 1_000, 4_320),
        (12_000, 26, 750),
    ],
)
def test_a_leaf_speaks_for_many_sessions(rows, sessions, least):
    some = Examples(np.empty((rows, 0)), np.ones(rows, bool), np.ones(rows), sessions)
    assert leaf_size(FitSettings(), some) == least


@pytest.mark.parametrize(
    ("labels", "sessions", "kind"),
    [(2_000, 30, "isotonic"), (2_000, 19, "sigmoid"), (999, 30, "sigmoid")],
)
def test_few_labels_or_few_sessions_bear_only_a_sigmoid(labels, sessions, kind):
    rng = np.random.default_rng(0)
    margin = rng.standard_normal(labels)
    won = rng.random(labels) < 1 / (1 + np.exp(-2 * margin))
    found = calibrated(margin, won, sessions)
    assert found.kind == kind
    assert found(np.array([0.0]))[0] == pytest.approx(0.5, abs=0.1)
    assert found(np.array([2.0]))[0] == pytest.approx(0.98, abs=0.05)
    far = found(np.array([-9.0, 9.0]))
    assert far.min() > 0
    assert far.max() < 1


def test_trees_that_say_nothing_or_the_contrary_leave_the_base_rate():
    won = np.arange(500) < 100
    base_rate = Calibration("sigmoid", (0.0,), (pytest.approx(np.log(0.25)),))
    assert calibrated(np.zeros(500), won, 5) == base_rate
    assert calibrated(np.arange(500.0), won, 5) == base_rate  # the higher, the fewer won


def test_rows_that_all_lost_calibrate_nothing():
    lost = np.zeros(500, bool)
    found = calibrated(np.linspace(-1.0, 1.0, 500), lost, 1)
    assert found(np.array([0.0, np.log(3.0)])).tolist() == pytest.approx([0.5, 0.75])
    losers = dataclasses.replace(CALIBRATE, won=np.zeros(len(CALIBRATE), bool))
    model, _ = trained(QUESTION, TRAIN, losers, dataclasses.replace(QUICK, max_rounds=5))
    assert model.calibration == found


def test_only_bought_single_contracts_under_its_rule_are_judged():
    rows = np.arange(6)
    legs = np.array([[0, -1], [0, -1], [0, 1], [0, -1], [0, -1], [0, -1]])
    side = np.array([[1, 0], [-1, 0], [1, 1], [1, 0], [1, 0], [1, 0]])
    orders = Orders.packages(rows, legs, side, RULE)
    orders.target[3] = 0.30
    orders.trail[4] = 0.15
    assert judges(RULE, orders).tolist() == [True, False, False, False, False, True]


@pytest.fixture(scope="module")
def day():
    (simulated,) = simulate_days(Simulation(days=1, seed=5, row_seconds=300.0))
    priced = day_writer.price("NIFTY", simulated.date, simulated.columns)
    return panel_from_columns("NIFTY", simulated.date, priced.columns)


def test_scores_never_look_ahead(model, day):
    scorer = scorer_from(SimpleNamespace(files=model.files()))
    strategy = built_in("gamma_scalping")
    assert require(scores_of("mine", scorer, strategy), day) > 100


def test_an_index_it_never_saw_is_refused(model, day):
    foreign = dataclasses.replace(day, underlying="BANKNIFTY")
    scorer = scorer_from(SimpleNamespace(files=model.files()))
    with pytest.raises(InputError, match="knows nothing of BANKNIFTY"):
        scorer(foreign, Context(), Orders.empty())
