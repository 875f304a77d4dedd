"""From stored days to a registered candidate: what `optiq train-scorer` and the evening do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from optiq.errors import EvidenceError, MissingDataError
from optiq.learn import registry, trials
from optiq.learn.dataset import Dataset, Recipe
from optiq.learn.labels import exit_rule
from optiq.learn.scorer.baselines import champion_of
from optiq.learn.scorer.card import card_of
from optiq.learn.scorer.measure import Worth, measure
from optiq.learn.scorer.model import KIND, Question, ScorerModel
from optiq.learn.scorer.training import Fit, Plan, Result, train
from optiq.market.manifest import DayManifest
from optiq.market.store import Store

NEVER_PROMOTES = (
    "training never promotes; `optiq models promote scorer` judges it on sessions after "
)


@dataclass(frozen=True)
class Candidate:
    """A registered scorer, its card, and what training found."""

    version: str
    model: ScorerModel
    result: Result
    worth: Worth
    card: Mapping[str, Any]

    @property
    def why_not_promoted(self) -> str:
        """Why it does not serve yet, in words."""
        n = self.card["sessions"]["n"]
        sessions = "1 session" if n == 1 else f"{n} sessions"
        return f"{NEVER_PROMOTES}{self.card['seen_until']}, the last of the {sessions} it has seen"


def days_to_learn(
    store: Store, names: Sequence[str], until: dt.date | None, lookback: int
) -> list[DayManifest]:
    """Return the stored days of the last ``lookback`` sessions up to a day, the last one stored.

    `MissingDataError` where an index has no day, or the day asked for is not stored.
    """
    stored = {name: store.days(name) for name in names}
    for name, days in stored.items():
        if not days:
            raise MissingDataError(f"{store.root} holds no {name}", "add some with optiq ingest")
    last = until or max(day.date for days in stored.values() for day in days)
    for name, days in stored.items():
        if last not in {day.date for day in days}:
            first, latest = days[0].date, days[-1].date
            raise MissingDataError(
                f"no {name} day {last} in {store.root}", f"stored are {first} to {latest}"
            )
    sessions = sorted({d.date for days in stored.values() for d in days if d.date <= last})
    chosen = set(sessions[-lookback:])
    return [day for days in stored.values() for day in days if day.date in chosen]


def candidate(
    models: Path,
    rows: Dataset,
    names: Sequence[str],
    recipe: Recipe,
    plan: Plan,
    *,
    render: registry.Render | None = None,
    advance: Callable[[int], None] = lambda _: None,
    now: dt.datetime | None = None,
) -> Candidate:
    """Train, measure and register a scorer; every fit is written down as a trial.

    `EvidenceError` where no purchase has a label. ``advance`` is told of each fit.
    """
    if not len(rows):
        raise _without_labels(rows.dropped)
    question = Question(recipe.strategy.name, exit_rule(recipe.strategy), tuple(names))
    champion, why_not = champion_of(models, question)

    def noted(fit: Fit) -> None:
        if fit.fold is not None:
            _write_down(models, fit, rows, recipe, now)
        advance(1)

    result = train(rows, question, plan, noted)
    worth = measure(result, champion, why_not)
    for fit in result.fits:
        if fit.fold is None:
            serves = fit.fitted is result.fitted
            _write_down(models, fit, rows, recipe, now, worth.daily if serves else None)
    card = card_of(result, worth, recipe, plan)
    card["trials"] |= trials.selection(trials.trials(models, KIND))
    version = registry.save(models, KIND, result.model.files(), card, render=render, now=now)
    return Candidate(version, result.model, result, worth, card)


def _write_down(
    models: Path,
    fit: Fit,
    rows: Dataset,
    recipe: Recipe,
    now: dt.datetime | None,
    daily: Mapping[str, float] | None = None,
) -> None:
    config = {**asdict(fit.settings), "recipe": recipe.sha256, "data": rows.sha256}
    metrics = {
        "fold": None if fit.fold is None else float(fit.fold),
        "calibration log loss": fit.fitted.log_loss,
        "trees": float(fit.fitted.trees),
    }
    trials.record(models, KIND, config, metrics, daily=daily, now=now)


def _without_labels(dropped: Mapping[str, int]) -> EvidenceError:
    told = ", ".join(f"{count:,} {reason}" for reason, count in dropped.items() if count)
    message = f"no purchase has a label: {told or 'nothing was tradable'}"
    if dropped.get("never filled"):
        hint = "snapshots that lie far apart fill only with --set walk.latency_s=0"
    else:
        hint = "see optiq data show"
    return EvidenceError(message, hint)
