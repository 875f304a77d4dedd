"""The whole of a training: sessions in, a stored candidate and its figures out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from optiq.errors import MissingDataError
from optiq.learn import registry, trials
from optiq.learn.direction.audit import Suspect, audited, audited_model
from optiq.learn.direction.figures import LOG_LOSS, named
from optiq.learn.direction.fit import Training, device_named, trainer
from optiq.learn.direction.forecasters import TRANSFORMER, TREES
from optiq.learn.direction.labels import LabelRule
from optiq.learn.direction.measuring import Measurement, card_of, final_models, measure
from optiq.learn.direction.model import files_of
from optiq.learn.direction.sample import Sample, folds_of, stored_sample
from optiq.learn.lockbox import ENOUGH_UNSEEN
from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.market.store import Store

KIND = "direction"
ENOUGH_FOR_LOCKBOX = 60
CHECKPOINTS = "checkpoints"
Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of the sessions, and how hard to try.

    ``minutes_apart`` at least lie two windows of a session: nearer ones tell almost the same.
    ``lockbox`` sessions at the end stay unseen, where there are sixty.
    """

    rule: LabelRule = field(default_factory=LabelRule)
    training: Training = field(default_factory=Training)
    folds: int = 3
    minutes_apart: float = 10.0
    lockbox: int = ENOUGH_UNSEEN

    def told(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            **asdict(self.rule),
            **asdict(self.training),
            "folds": self.folds,
            "minutes_apart": self.minutes_apart,
        }


@dataclass(frozen=True)
class Trained:
    """A stored candidate."""

    version: str
    card: Mapping[str, Any]
    measured: Measurement
    sample: Sample
    left_unseen: int


def sessions_of(
    store: Store, underlying: str, until: dt.date | None, lookback: int, lockbox: int
) -> tuple[list[dt.date], int]:
    """Return the sessions to learn from, and how many after them stay unseen."""
    days = [d.date for d in store.days(underlying) if until is None or d.date <= until][-lookback:]
    if not days:
        raise MissingDataError(
            f"{store.root} holds no {underlying}{f' up to {until}' if until else ''}",
            "optiq ingest SOURCE, or optiq data ls",
        )
    left = lockbox if len(days) >= ENOUGH_FOR_LOCKBOX else 0
    return days[: len(days) - left], left


def n_epochs(sample: Sample, plan: Plan) -> int:
    """Return how many epochs a training takes at most, for a progress bar."""
    folds, _ = folds_of(sample, plan.folds)
    return (len(folds) + 1) * plan.training.seeds * plan.training.epochs


def train(
    store: Store,
    models: Path,
    underlying: str,
    sample: Sample,
    plan: Plan,
    render: registry.Render | None = None,
    left_unseen: int = 0,
    advance: Advance = lambda _: None,
    now: dt.datetime | None = None,
) -> Trained:
    """Measure, fit on all sessions, and store the candidate; nothing is promoted.

    An interrupted training goes on where it was: its checkpoints lie beside the models.
    """
    training = replace(plan.training, device=device_named(plan.training.device))
    plan = replace(plan, training=training, rule=sample.rule)
    checkpoints = registry.kind_folder(models, KIND) / CHECKPOINTS
    fit = trainer(training, checkpoints, advance)

    def day_of(date: dt.date) -> tuple[Panel, Context]:
        return store.read_panel(underlying, date), store.context(underlying, date)

    measured = measure(sample, plan.rule, fit, day_of, plan.folds)
    fitted = final_models(sample, plan.rule, fit)
    settings = plan.told()
    card = card_of(sample, plan.rule, measured, settings, underlying)
    chosen = measured.serves or card["figures_of"]
    last = day_of(sample.days[-1].session)
    suspect = Suspect(sample, folds_of(sample, plan.folds)[0][-1], plan.rule)
    checks = [*audited(suspect), *audited_model(fitted[chosen], *last)]
    card["audit"] = [check.to_json() for check in checks]
    _record(models, settings, sample, measured, now)
    tried = trials.trials(models, KIND)
    card["trials"] = {"fits": len(tried), "configurations": trials.distinct(tried)}
    version = registry.save(models, KIND, files_of(fitted, chosen), card, render=render, now=now)
    for path in checkpoints.glob("*.pt"):
        path.unlink(missing_ok=True)
    return Trained(
        version, registry.load(models, KIND, version).card, measured, sample, left_unseen
    )


def _record(
    models: Path,
    settings: Mapping[str, Any],
    sample: Sample,
    measured: Measurement,
    now: dt.datetime | None,
) -> None:
    for name in (TREES, TRANSFORMER):
        if name in measured.figures:
            loss = named(measured.figures[name], LOG_LOSS)
            metrics = {"log_loss": loss.interval.value if loss else None}
            config = {**settings, "model": name, "data": sample.sha256}
            trials.record(models, KIND, config, metrics, daily=measured.daily[name], now=now)


def stored(
    store: Store, underlying: str, dates: Sequence[dt.date], plan: Plan, advance: Advance
) -> Sample:
    """Return the labelled sessions of a plan."""
    return stored_sample(
        store, underlying, dates, plan.rule, plan.minutes_apart, advance, plan.folds
    )
