"""Training, serving and judging the direction model: a tiny one, end to end."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from paper_days import plan_of, with_monitor_rows
from planted_directions import best, planted
from simulated_run import UNDERLYING, stored

from optiq.errors import DamagedError, InputError
from optiq.learn import gates, registry
from optiq.learn.direction import gate as direction_gate
from optiq.learn.direction.figures import ACCURACY, LOG_LOSS, SAVED, is_above_zero, named
from optiq.learn.direction.fit import Lesson, Training, fit, trainer
from optiq.learn.direction.forecasters import PRIOR, TRANSFORMER, TREES, Transformer
from optiq.learn.direction.labels import LabelRule
from optiq.learn.direction.measuring import choice, measure
from optiq.learn.direction.model import BLOCK, DirectionModel, files_of, read_bundle
from optiq.learn.direction.sample import sample_of
from optiq.learn.direction.serving import ServedDirection, direction_named
from optiq.learn.direction.tft import Shape
from optiq.learn.direction.training import KIND, Plan, Trained, stored_sample, train
from optiq.learn.direction.trial import best_temperature, best_threshold, run_trial, tempered
from optiq.learn.direction.windows import LENGTH, Scaler, inputs_of, seen_of
from optiq.learn.splits import Fold
from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.run.backtest import Settings, backtest_day
from optiq.run.directory import to_table
from optiq.run.parity import require_same_trades
from optiq.run.prefix import features_of, require
from optiq.run.sessions import Ensemble, day_of
from optiq.trade.strategies import built_in

TINY = Training(seeds=2, epochs=2, shape=Shape(34, 2, 2, size=8, heads=2))
RULE = LabelRule()


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="optiq-direction-")


@cache
def trained() -> tuple[Path, Trained]:
    """A tiny model of the first three of four simulated sessions."""
    models = Path(_folder().name)
    dates = [day.date for day in stored().days(UNDERLYING)][:3]
    sample = stored_sample(stored(), UNDERLYING, dates, RULE, 10.0)
    return models, train(stored(), models, UNDERLYING, sample, Plan(RULE, TINY, folds=1))


@cache
def last_day() -> tuple[Panel, Context]:
    date = [day.date for day in stored().days(UNDERLYING)][3]
    return stored().read_panel(UNDERLYING, date), stored().context(UNDERLYING, date)


def transformer() -> DirectionModel:
    models, done = trained()
    return read_bundle(registry.load(models, KIND, done.version).files, "it").models[TRANSFORMER]


class Served:
    """A model as the registry serves it, without the registry."""

    name = "a test's"

    def __init__(self, model: DirectionModel, hold: float = 1.0, acts_from: float = 0.0) -> None:
        self.model, self.hold, self.acts_from = model, hold, acts_from

    def since(self, panel: Panel, context: Context, first_row: int) -> np.ndarray:
        seen = seen_of(panel, context, max(0, first_row - LENGTH + 1))
        said = self.model.of_day(seen, first_row)[first_row:]
        return said * [1.0, self.hold, 1.0]

    def threshold(self, panel: Panel) -> float:
        return self.acts_from

    def __call__(self, panel: Panel, context: Context) -> np.ndarray:
        return self.since(panel, context, 0)


def test_a_training_stores_a_card_that_says_what_it_is_worth() -> None:
    models, done = trained()
    card = registry.load(models, KIND, done.version).card
    assert card["underlyings"] == [UNDERLYING]
    assert card["seen_until"] == str(done.sample.days[-1].session)
    assert {check["check"] for check in card["audit"] if not check["passed"]} == set()
    assert set(done.measured.figures) == {PRIOR, "logistic", TREES, TRANSFORMER}
    assert done.measured.serves is None  # three sessions prove nothing
    assert registry.aliases(models, KIND)["champion"] is None
    loss = named(done.measured.figures[TRANSFORMER], LOG_LOSS)
    assert loss is not None
    assert 0.5 < loss.interval.value < 2.0
    assert "1 session" in loss.interval.note


def test_the_same_seed_gives_the_same_weights_and_an_interruption_changes_nothing(tmp_path) -> None:
    sample, _ = planted(6, seed=2)
    scaler = Scaler.fitted(np.concatenate([day.seen.features for day in sample.days]))
    windows = [inputs_of(day.seen, scaler, day.rows, 30.0) for day in sample.days]
    labels = [day.labels.label[day.rows] for day in sample.days]
    lessons = Lesson(windows[:4], labels[:4]), Lesson(windows[4:], labels[4:])
    whole = fit(*lessons, replace(TINY, epochs=3))
    assert [k for k in whole[0] if (whole[0][k] != whole[1][k]).any()]  # two seeds are two models
    again = fit(*lessons, replace(TINY, epochs=3))

    class StopError(Exception):
        """As by Ctrl-C, after two epochs of the first seed."""

    told = []

    def stop(epochs: int) -> None:
        told.append(epochs)
        if len(told) == 2:
            raise StopError

    with pytest.raises(StopError):
        fit(*lessons, replace(TINY, epochs=3), tmp_path, stop)
    told.clear()
    resumed = fit(*lessons, replace(TINY, epochs=3), tmp_path, told.append)
    assert told[0] == 2  # epochs that were done already
    for one, other, third in zip(whole, again, resumed, strict=True):
        assert all((one[name] == other[name]).all() for name in one)
        assert all((one[name] == third[name]).all() for name in one)


def test_a_damaged_checkpoint_is_refused(tmp_path) -> None:
    sample, _ = planted(4, seed=2)
    scaler = Scaler.fitted(np.concatenate([day.seen.features for day in sample.days]))
    windows = [inputs_of(day.seen, scaler, day.rows, 30.0) for day in sample.days]
    labels = [day.labels.label[day.rows] for day in sample.days]
    lessons = Lesson(windows[:2], labels[:2]), Lesson(windows[2:], labels[2:])
    once = replace(TINY, epochs=1, seeds=1)
    fit(*lessons, once, tmp_path)
    (path,) = tmp_path.glob("*.pt")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DamagedError, match="not what was written"):
        fit(*lessons, once, tmp_path)


@pytest.mark.parametrize("name", [PRIOR, "logistic", TREES, TRANSFORMER])
def test_what_it_says_of_a_row_is_the_same_wherever_the_day_is_cut(name: str) -> None:
    models, done = trained()
    bundle = read_bundle(registry.load(models, KIND, done.version).files, "it")
    panel, context = last_day()
    subject = features_of(
        name,
        ("sell", "hold", "buy"),
        lambda p, c: bundle.models[name].of_day(seen_of(p, c)),
    )
    assert require(subject, panel.until(2 * BLOCK + 7), context) > 1000


def test_asked_row_by_row_it_says_the_same_bits() -> None:
    served = Served(transformer())
    panel, context = last_day()
    whole = served(panel, context)
    for row in (0, 1, 28, 29, 30, BLOCK - 1, BLOCK, 200, panel.n_rows - 1):
        early = served.since(panel.until(row + 1), context.until(row + 1), row)
        assert np.array_equal(early, whole[row : row + 1], equal_nan=True)


def test_a_paper_session_trades_it_as_the_backtest_does() -> None:
    """Quantum edge, row by row with monitor rows between, against all rows at once."""
    panel, context = (part.until(200) for part in last_day())
    served, settings = Served(transformer(), hold=0.1), Settings()
    team = Ensemble(settings, [built_in("quantum_edge")], direction=served)
    day = day_of(plan_of(panel, context, team), team)
    for row in with_monitor_rows(panel, seed=3):
        day.take(row)
    day.finish()
    paper = to_table(day.result().trades()).to_pylist()
    fresh = backtest_day(day.rows.panel(), context, team.strategies, settings, direction=served)
    require_same_trades(paper, to_table(fresh.trades()).to_pylist(), "paper", "backtest")
    assert len(paper) >= 3


def test_without_a_promoted_model_quantum_edge_is_silent_and_says_so(tmp_path) -> None:
    panel, context = last_day()
    assert direction_named(tmp_path, None, [built_in("quantum_edge")]) is None
    day = backtest_day(panel, context, [built_in("quantum_edge")], Settings())
    assert len(day.orders) == 0
    assert sum("no direction model" in note for note in day.notes) == 1


def test_a_champion_serves_from_the_day_its_promotion_takes_effect() -> None:
    models, done = trained()
    panel, context = last_day()
    registry.promote(
        models, KIND, done.version, takes_effect=panel.date, reason="a test", forced=True
    )
    served = direction_named(models, None, [built_in("quantum_edge")])
    assert served is not None
    said = served(panel, context)
    assert said is not None
    assert np.nansum(said, axis=1)[-1] == pytest.approx(1.0)
    before = done.sample.days[-1].session
    assert served.version(before) is None
    earlier = stored().read_panel(UNDERLYING, before), stored().context(UNDERLYING, before)
    assert served(*earlier) is None
    assert served.learnt([before, panel.date]) == []
    assert ServedDirection(models, done.version).learnt([before, panel.date]) == [before]
    assert direction_named(models, None, [built_in("iv_rank")]) is None


def test_another_underlying_is_refused_in_one_line() -> None:
    models, done = trained()
    panel, context = last_day()
    with pytest.raises(InputError, match="has learnt NIFTY, not BANKNIFTY"):
        ServedDirection(models, done.version)(replace(panel, underlying="BANKNIFTY"), context)


@pytest.mark.parametrize("name", ["seed-0.pt", "lightgbm.txt", "model.json"])
def test_one_flipped_byte_is_refused(name: str, tmp_path) -> None:
    models, done = trained()
    stored_version = registry.load(models, KIND, done.version)
    card = {k: v for k, v in stored_version.card.items() if k != "version"}
    version = registry.save(tmp_path, KIND, stored_version.files, card)
    path = tmp_path / KIND / version / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(DamagedError, match=name) as refused:
        ServedDirection(tmp_path, version)(*last_day())
    assert refused.value.exit_code == 3


def test_weights_that_hold_code_are_not_run() -> None:
    import pickle

    ran = []

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return ran.append, ("ran",)

    files = dict(files_of({TRANSFORMER: transformer()}, TRANSFORMER))
    files["seed-0.pt"] = pickle.dumps(Bomb(), protocol=2)
    with pytest.raises(DamagedError):
        read_bundle(files, "it")
    assert ran == []


def test_a_model_comes_back_from_its_files_as_it_was() -> None:
    model = transformer()
    files = files_of({TRANSFORMER: model}, TRANSFORMER)
    back = read_bundle(files, "it").speaks
    seen = seen_of(*last_day())
    assert np.array_equal(back.of_day(seen), model.of_day(seen), equal_nan=True)


def test_temperature_and_threshold_by_hand() -> None:
    """Right three times of four while it says 0.97: the temperature that says 0.75."""
    sure = np.array([[0.97, 0.015, 0.015]] * 40)
    labels = np.array([0, 0, 0, 1] * 40)[:40]
    honest = tempered(sure, best_temperature(sure, labels))
    assert honest[0, 0] == pytest.approx(0.75, abs=0.01)
    usual = (0.5, 0.3, 0.2)
    useless = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]] * 10)
    came = np.repeat([0, 0, 0, 0, 0, 1, 1, 1, 2, 2], 3)  # as often whatever was said
    cold = tempered(useless, best_temperature(useless, came, usual), usual)
    assert cold == pytest.approx(np.tile(usual, (30, 1)), abs=0.02)
    said = np.array([[0.30, 0.30, 0.40]] * 100 + [[0.1, 0.2, 0.7]] * 100)
    came = np.array([0, 2] * 50 + [2] * 80 + [0] * 20)  # worth nothing; worth 0.6 - 0.2 a call
    assert 0.40 < best_threshold(said, came) <= 0.70
    assert np.isnan(best_threshold(said, np.array([0, 2] * 100)))


@cache
def small_planted() -> tuple[float, dict[str, float], dict[str, float]]:
    sample, law = planted(52, seed=8, strength=2.0)
    every = np.arange(len(sample.label))
    fold = Fold(
        every[sample.day < 28],
        every[(sample.day >= 28) & (sample.day < 34)],
        every[sample.day > 34],
    )
    fits = trainer(replace(TINY, seeds=1, epochs=6, shape=Shape(34, 2, 2)))
    trial = run_trial(sample, fold, RULE, fits, names=(PRIOR, TRANSFORMER))
    label, accuracy, loss = sample.label[fold.test], {}, {}
    for name, model in trial.models.items():
        said = np.concatenate([model.of_day(d.seen)[r] for d, r, _ in sample.by_day(fold.test)])
        accuracy[name] = float((said.argmax(axis=1) == label).mean())
        loss[name] = float(-np.log(said[np.arange(len(label)), label]).mean())
    accuracy["best"], loss["best"] = best(law[fold.test])
    return 0.0, accuracy, loss


def test_a_planted_edge_is_found_by_a_small_transformer() -> None:
    """A sixth of the study's windows and one seed: a good part of the edge, not all of it."""
    _, accuracy, loss = small_planted()
    assert (accuracy[TRANSFORMER] - accuracy[PRIOR]) / (accuracy["best"] - accuracy[PRIOR]) > 0.6
    assert (loss[PRIOR] - loss[TRANSFORMER]) / (loss[PRIOR] - loss["best"]) > 0.35


def test_on_labels_without_a_law_nothing_serves() -> None:
    sample, _ = planted(24, seed=3, strength=0.0)
    measured = measure(sample, RULE, None, None, n_folds=2)
    assert measured.serves is None
    accuracy = {name: named(found, ACCURACY) for name, found in measured.figures.items()}
    assert abs(accuracy[TREES].interval.value - accuracy[PRIOR].interval.value) < 0.06
    assert choice(measured.figures)[0] is None


def test_where_the_side_can_be_known_the_better_model_may_serve() -> None:
    sample, _ = planted(24, seed=3, strength=2.5)
    assert measure(sample, RULE, None, None, n_folds=1).serves == TREES


def test_a_model_that_knows_only_how_far_does_not_serve() -> None:
    """It beats the prior by knowing when nothing moves; there is no side to trade in that."""
    sample, _ = planted(24, seed=3, strength=2.0, knows_side=False)
    measured = measure(sample, RULE, None, None, n_folds=1)
    assert is_above_zero(named(measured.figures[TREES], SAVED.format(PRIOR)))
    assert measured.serves is None
    assert "only how far" in measured.reasons[-1]


def test_the_gate_refuses_on_one_session_and_says_what_is_missing() -> None:
    models, done = trained()
    panel, _ = last_day()
    case = gates.Case(
        models,
        stored().root,
        KIND,
        registry.load(models, KIND, done.version),
        None,
        (panel.date,),
    )
    verdict = direction_gate.judge(case)
    assert not verdict.passed
    assert any("prior" in reason for reason in verdict.reasons)
    assert any("side" in reason for reason in verdict.reasons)
    assert named(list(verdict.figures), LOG_LOSS) is not None


@pytest.mark.parametrize("other", [{"underlyings": ["BANKNIFTY"]}, {"horizon_minutes": 15.0}])
def test_the_gate_compares_no_answers_to_different_questions(other) -> None:
    models, done = trained()
    mine = registry.load(models, KIND, done.version)
    if "underlyings" in other:
        champion = replace(mine, card={**mine.card, **other})
    else:
        told = json.loads(mine.files["model.json"])
        told["rule"] |= other
        champion = replace(mine, files={**mine.files, "model.json": json.dumps(told).encode()})
    case = gates.Case(models, stored().root, KIND, mine, champion, (last_day()[0].date,))
    verdict = direction_gate.judge(case)
    assert verdict.reasons == ("the champion answers another question: it cannot be compared",)
    assert not verdict.passed


def test_too_few_windows_are_not_enough_evidence() -> None:
    from optiq.errors import EvidenceError

    sample, _ = planted(1, seed=1)
    day = replace(sample.days[0], rows=sample.days[0].rows[:5])
    with pytest.raises(EvidenceError, match="5 labelled windows"):
        sample_of([day], "x")


def test_looking_inside_adds_up() -> None:
    model = transformer()
    forecaster = model.forecaster
    assert isinstance(forecaster, Transformer)
    inputs = inputs_of(seen_of(*last_day()), model.scaler, np.array([5, 100]), 30.0)
    _, selection, attention = forecaster.looked(inputs)
    assert selection.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    assert attention.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    assert (attention[0, : LENGTH - 6] == 0).all()  # rows before the open
