"""Would a lie survive? Checks that a direction model's training does not see what it may not.

Each check has a name and says what it found in numbers; the gate wants all of them passed. They ask
the parts that a training is made of, so a training made of other parts (a shuffled split, a scaler
fitted over all rows, a column from the future) fails by the name of what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from optiq.errors import EvidenceError
from optiq.learn.audit import Found
from optiq.learn.audit_market import UNDERLYING, fair_market, with_older_days
from optiq.learn.direction.forecasters import Logistic, Prior
from optiq.learn.direction.labels import BUY, HOLD, LabelRule
from optiq.learn.direction.model import DirectionModel, read_bundle
from optiq.learn.direction.sample import Sample, folds_of, scaler_of, stored_sample
from optiq.learn.direction.trial import log_losses, windows_of
from optiq.learn.direction.windows import NAMES, LabelledDay, Scaler, joined, seen_of
from optiq.learn.intervals import Interval, mean_interval
from optiq.learn.splits import Fold
from optiq.learn.version_folder import Stored
from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.market.schema import BoolArray, FloatArray, IntArray
from optiq.market.store import Store
from optiq.run.mismatch import Mismatch
from optiq.run.prefix import check as prefix_check
from optiq.run.prefix import features_of

TOO_TELLING = 0.75
"""AUC of one feature alone, buy against sell: no honest one comes near it."""
FEWEST_TO_TELL = 30
CUTS = 8
PERMUTATIONS = 5
SPLIT, SCOPE, FUTURE = "split", "fit scope", "future column"
DUPLICATES, PERMUTED, SHIFTED = "duplicates", "permuted labels", "shifted features"
TRUNCATION, WARM_UP, RANDOM_WALK = "truncation", "warm-up", "random walk"
WALK_DAYS, WALK_FOLDS = 24, 2


@dataclass(frozen=True, slots=True)
class Check:
    """One verdict: the check's name, whether it passed, and what was found."""

    check: str
    passed: bool
    says: str

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON, for a card."""
        return {"check": self.check, "passed": bool(self.passed), "says": self.says}


@dataclass(frozen=True)
class Suspect:
    """A training as the audit asks it: its windows, one of its splits, and how it scales."""

    sample: Sample
    fold: Fold
    rule: LabelRule
    scale: Callable[[Sample, IntArray], Scaler] = scaler_of


def audited(suspect: Suspect) -> list[Check]:
    """Return every check of a training that needs no market."""
    checks = (_split, _fit_scope, _duplicates, _future_column, _permuted_labels, _shifted_features)
    return [check(suspect) for check in checks]


def audited_model(
    model: DirectionModel, panel: Panel, context: Context, cuts: int = CUTS
) -> list[Check]:
    """Return the checks of a model on one day: cut anywhere, or with older days before it."""

    def said(chain: Panel, known: Context) -> FloatArray:
        return model.of_day(seen_of(chain, known))

    subject = features_of("direction", ("sell", "hold", "buy"), said)
    (checked,) = prefix_check([subject], panel.chain_only, context, cuts=cuts)
    return [
        Check(
            TRUNCATION,
            checked.mismatch is None,
            f"{checked.statements:,} statements of {panel.date}, {_said(checked.mismatch)}",
        ),
        _warm_up(said, panel.chain_only, context),
    ]


def _said(mismatch: Mismatch | None) -> str:
    return "all the same bit for bit" if mismatch is None else f"one differs: {mismatch}"


def _warm_up(said: Callable[[Panel, Context], FloatArray], chain: Panel, context: Context) -> Check:
    """Older days, before all that features remember, must not change a word."""
    whole = said(chain, context)
    differing = 0
    for times in (2, 4):
        n = max(1, len(context.sessions)) * (times - 1)
        longer = said(chain, with_older_days(context, chain, n))
        differing += int((~np.isclose(longer, whole, 0, 0, equal_nan=True)).sum())
    return Check(
        WARM_UP, differing == 0, f"{differing} of {whole.size} differ with 2x, 4x the days"
    )


def _split(suspect: Suspect) -> Check:
    """No label may end within or after what is tested, and no session may be on both sides."""
    sample, fold = suspect.sample, suspect.fold
    learnt = np.concatenate([fold.train, fold.calibrate])
    late = int((sample.end[learnt] >= sample.ts[fold.test].min()).sum())
    shared = np.intersect1d(sample.session[learnt], sample.session[fold.test])
    is_one_day = len(np.unique(sample.session)) < 3
    both = 0 if is_one_day else len(shared)
    return Check(
        SPLIT,
        late == 0 and both == 0,
        f"{late} labels end after the first tested row, {both} sessions on both sides",
    )


def _fit_scope(suspect: Suspect) -> Check:
    """Ask whether tested rows a million times as large move what was fitted."""
    before = suspect.scale(suspect.sample, suspect.fold.train)
    spoilt = _with_features(suspect.sample, suspect.fold.test, lambda values: values * 1e6)
    after = suspect.scale(spoilt, suspect.fold.train)
    moved = int(((before.mean != after.mean) | (before.deviation != after.deviation)).sum())
    says = f"{moved} of {len(NAMES)} scales move when tested rows are a million times as large"
    return Check(SCOPE, moved == 0, says)


def _with_features(
    sample: Sample, windows: IntArray, change: Callable[[FloatArray], FloatArray]
) -> Sample:
    """Return the sample with some windows' own rows changed."""
    days: list[LabelledDay] = []
    for number, day in enumerate(sample.days):
        rows = sample.row[windows[sample.day[windows] == number]]
        features = day.seen.features.copy()
        features[rows] = change(features[rows])
        days.append(replace(day, seen=replace(day.seen, features=features)))
    return replace(sample, days=tuple(days))


def _own_rows(sample: Sample, windows: IntArray) -> FloatArray:
    parts = [day.seen.features[rows] for day, rows, _ in sample.by_day(windows)]
    return np.concatenate(parts)


def _duplicates(suspect: Suspect) -> Check:
    """Ask whether a tested row is also a training row: an answer learnt by heart."""
    train, test = (_own_rows(suspect.sample, w) for w in (suspect.fold.train, suspect.fold.test))
    known = {row.tobytes() for row in train}
    twice = sum(row.tobytes() in known for row in test)
    return Check(DUPLICATES, twice == 0, f"{twice} of {len(test):,} tested rows are training rows")


def _future_column(suspect: Suspect) -> Check:
    """No feature alone may tell buy from sell as only tomorrow's paper could."""
    from sklearn.metrics import roc_auc_score

    every = np.arange(len(suspect.sample.label))
    label = np.concatenate([labels for _, _, labels in suspect.sample.by_day(every)])
    rows = _own_rows(suspect.sample, every)[label != HOLD]
    bought = label[label != HOLD] == BUY
    worst, name = 0.5, "none"
    for place, feature in enumerate(NAMES):
        known = ~np.isnan(rows[:, place])
        if _fewer(bought[known]) >= FEWEST_TO_TELL:  # of four known rows any feature may tell all
            area = float(roc_auc_score(bought[known], rows[known, place]))
            if max(area, 1.0 - area) > worst:
                worst, name = max(area, 1.0 - area), feature
    few = _fewer(bought) < FEWEST_TO_TELL
    return Check(
        FUTURE,
        few or worst <= TOO_TELLING,
        f"the most telling feature is {name}, AUC {worst:.3f}"
        + (" (too few rows to judge)" if few else f", {TOO_TELLING:g} at most"),
    )


def _fewer(bought: BoolArray) -> int:
    """Return how many there are of the class that came less often."""
    return int(min(bought.sum(), (~bought).sum()))


def _permuted_labels(suspect: Suspect) -> Check:
    """Labels shuffled within their session must teach nothing."""
    rng = np.random.default_rng(0)
    gains = []
    for _ in range(PERMUTATIONS):
        shuffled = suspect.sample.label.copy()
        for number in range(len(suspect.sample.days)):
            own = np.flatnonzero(suspect.sample.day == number)
            shuffled[own] = rng.permutation(shuffled[own])
        gains.append(_saved(suspect, replace(suspect.sample, label=shuffled)))
    lucky = sum(gain.is_known and gain.low > 0 for gain in gains)
    mean = float(np.mean([gain.value for gain in gains]))
    return Check(
        PERMUTED,
        lucky <= 1,
        f"{lucky} of {PERMUTATIONS} shuffles seem to save log loss, {mean:.4f} in the mean",
    )


def _shifted_features(suspect: Suspect) -> Check:
    """Ask whether what was known a row earlier tells more than what is known now."""
    now = _losses(suspect, suspect.sample)
    moved = {shift: _losses(suspect, _shifted(suspect.sample, shift)) for shift in (-1, 1)}
    gain = {shift: _paired(suspect, now - losses) for shift, losses in moved.items()}
    is_better = gain[-1].is_known and gain[-1].low > 0
    return Check(
        SHIFTED,
        not is_better,
        f"features a row older save {gain[-1].value:.4f} of log loss, a row newer "
        f"{gain[1].value:.4f}",
    )


def _shifted(sample: Sample, rows: int) -> Sample:
    """Return the sample with each row seeing the features ``rows`` later in its day."""
    days = []
    for day in sample.days:
        n = len(day.seen.features)
        place = np.clip(np.arange(n) + rows, 0, n - 1)
        days.append(replace(day, seen=replace(day.seen, features=day.seen.features[place])))
    return replace(sample, days=tuple(days))


def _losses(suspect: Suspect, sample: Sample) -> FloatArray:
    """Return the log loss of each tested window, by logistic regression on the windows' own row."""
    scaler = suspect.scale(sample, suspect.fold.train)
    train, labels = windows_of(sample, suspect.fold.train, scaler, suspect.rule)
    test, tested = windows_of(sample, suspect.fold.test, scaler, suspect.rule)
    model = Logistic.fitted(joined(train), np.concatenate(labels))
    return log_losses(model.probabilities(joined(test)), np.concatenate(tested))


def _saved(suspect: Suspect, sample: Sample) -> Interval:
    labels = sample.label[suspect.fold.train]
    prior = Prior.fitted(labels)
    order = np.concatenate([label for _, _, label in sample.by_day(suspect.fold.test)])
    given = np.repeat(prior.shares[None, :], len(order), axis=0)
    return _paired(suspect, log_losses(given, order) - _losses(suspect, sample))


def _paired(suspect: Suspect, gains: FloatArray) -> Interval:
    day = suspect.sample.day[suspect.fold.test]
    _, session = np.unique(np.sort(day), return_inverse=True)
    return mean_interval(np.bincount(session, gains), np.bincount(session))


def failures(checks: Sequence[Check]) -> Iterator[str]:
    """Yield the names of the checks that failed."""
    return (check.check for check in checks if not check.passed)


@dataclass(frozen=True)
class Audited:
    """A stored version as `optiq.learn.audit` asks it."""

    suspect: Suspect
    model: DirectionModel
    last_day: tuple[Panel, Context]
    seed: int


def subject(store: Store, stored: Stored, seed: int) -> Audited:
    """Return what the checks ask: the model, and the sessions it has seen."""
    card, bundle = stored.card, read_bundle(stored.files, f"{stored.kind} {stored.version}")
    (underlying,), model = card["underlyings"], bundle.speaks
    first, last = card["sessions"]["first"], card["seen_until"]
    dates = [day.date for day in store.days(underlying) if first <= str(day.date) <= last]
    if not dates:
        raise EvidenceError(
            f"the sessions that direction {stored.version} learnt from are not in {store.root}",
            "give the store it was trained on",
        )
    asked = card["settings"]
    sample = stored_sample(store, underlying, dates, model.rule, float(asked["minutes_apart"]))
    folds, _ = folds_of(sample, int(asked["folds"]))
    day = store.read_panel(underlying, dates[-1]), store.context(underlying, dates[-1])
    return Audited(Suspect(sample, folds[-1], model.rule), model, day, seed)


def _random_walk(asked: Audited) -> Found:
    """Put a simulated market without any edge through the whole of a training: none may serve."""
    from optiq.learn.direction.measuring import measure

    rule = asked.suspect.rule
    with fair_market(WALK_DAYS, asked.seed) as store:
        dates = [day.date for day in store.days(UNDERLYING)]
        sample = stored_sample(store, UNDERLYING, dates, rule, 10.0, learn_for_folds=WALK_FOLDS)
        measured = measure(sample, sample.rule, None, None, WALK_FOLDS)
    says = f"{len(sample.label):,} windows of {WALK_DAYS} sessions: {measured.reasons[-1]}"
    return measured.serves is None, says, {"sessions": WALK_DAYS}


def _of_model(place: int) -> Callable[[Audited], Found]:
    def ask(asked: Audited) -> Found:
        check = audited_model(asked.model, *asked.last_day)[place]
        return check.passed, check.says, {}

    return ask


def _of_training(ask_it: Callable[[Suspect], Check]) -> Callable[[Audited], Found]:
    def ask(asked: Audited) -> Found:
        check = ask_it(asked.suspect)
        return check.passed, check.says, {}

    return ask


CHECKS: tuple[tuple[str, Callable[[Audited], Found]], ...] = (
    (TRUNCATION, _of_model(0)),
    (WARM_UP, _of_model(1)),
    (SPLIT, _of_training(_split)),
    (SCOPE, _of_training(_fit_scope)),
    (DUPLICATES, _of_training(_duplicates)),
    (FUTURE, _of_training(_future_column)),
    (PERMUTED, _of_training(_permuted_labels)),
    (SHIFTED, _of_training(_shifted_features)),
    (RANDOM_WALK, _random_walk),
)
