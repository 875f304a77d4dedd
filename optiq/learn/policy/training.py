"""The whole of a training: episodes in, a stored candidate and its figures out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from optiq.errors import DamagedError, EvidenceError
from optiq.learn import registry, trials
from optiq.learn.policy.audit import audited
from optiq.learn.policy.bundle import KIND, Bundle, bundle_of, read_bundle
from optiq.learn.policy.card import card_of
from optiq.learn.policy.episode_table import EpisodeTable
from optiq.learn.policy.evaluation import Evaluation, evaluate, first_tested, n_steps
from optiq.learn.policy.fit import Advance, Plan, fit_policy
from optiq.learn.policy.sac import Places
from optiq.run.episodes import ENOUGH_EPISODES, ENOUGH_SESSIONS

CHECKPOINTS, EXPLORING, TENSORBOARD = "checkpoints", "exploring", "tensorboard"


@dataclass(frozen=True)
class Trained:
    """A stored candidate."""

    version: str
    card: Mapping[str, Any]
    evaluation: Evaluation


def counts_of(table: EpisodeTable) -> str:
    """Return how much there is of what is needed, in words."""
    episodes, sessions = len(table), len(table.sessions)
    return f"{episodes} of {ENOUGH_EPISODES} episodes, {sessions} of {ENOUGH_SESSIONS} sessions"


def is_enough(table: EpisodeTable) -> bool:
    """Whether a policy may be trained on it."""
    return len(table) >= ENOUGH_EPISODES and len(table.sessions) >= ENOUGH_SESSIONS


def require_enough(table: EpisodeTable) -> None:
    """Raise `EvidenceError` with the counts where a policy may not be trained yet."""
    if not is_enough(table):
        raise EvidenceError(
            f"{counts_of(table)}: too few to learn from, the choice stays random",
            "log more (paper-run, episodes build), or look without registering: --exploratory",
        )


def require_results(table: EpisodeTable) -> None:
    """Raise `EvidenceError` where not one episode has a strategy whose next order was filled."""
    if not table.r.any():
        raise EvidenceError(
            f"in none of {len(table):,} episodes was any strategy's next order filled: there is "
            "nothing to learn from",
            "snapshots that lie far apart fill only with --set walk.latency_s=0: "
            "optiq episodes build again with it",
        )


def to_learn(table: EpisodeTable, lockbox: int) -> tuple[EpisodeTable, list[str]]:
    """Return the episodes to learn from and the sessions after them that stay unseen.

    None stay unseen where what is left without them would be too little to learn from.
    """
    days = table.sessions
    if not lockbox or len(days) <= lockbox:
        return table, []
    rest = table.of_sessions(days[:-lockbox])
    return (rest, days[-lockbox:].astype(str).tolist()) if is_enough(rest) else (table, [])


def total_steps(table: EpisodeTable, plan: Plan, *, exploratory: bool = False) -> int:
    """Return how many steps `train` takes, or `explore`, for a progress bar."""
    return n_steps(table, plan) + (0 if exploratory else plan.steps)


def explore(
    models: Path, table: EpisodeTable, plan: Plan, advance: Advance = lambda _: None
) -> tuple[Evaluation, tuple[str, ...]]:
    """Evaluate without storing anything but the trial; return it with notes."""
    champion, notes = _champion(models, table, plan)
    places = Places(registry.kind_folder(models, KIND) / EXPLORING)
    found = evaluate(table, plan, champion, places, advance)
    _record(models, table, plan, found, None)
    _sweep(places)
    return found, notes


def train(
    models: Path,
    table: EpisodeTable,
    plan: Plan,
    *,
    locked: list[str] | None = None,
    render: registry.Render | None = None,
    advance: Advance = lambda _: None,
    now: dt.datetime | None = None,
) -> Trained:
    """Evaluate, fit on all of the table, and store the candidate; nothing is promoted.

    `EvidenceError` where the table is too small. Interrupted, the same call goes on where it was:
    checkpoints lie beside the models.
    """
    require_enough(table)
    places = _places(models)
    champion, notes = _champion(models, table, plan)
    found = evaluate(table, plan, champion, places, advance)
    made = fit_policy(table, plan, places, advance)
    card = card_of(table, plan, made.rewards, found, locked or [], notes)
    card["audit"] = [check.to_json() for check in audited(table, made.bundle)]
    _record(models, table, plan, found, now)
    card["trials"] = trials.selection(trials.trials(models, KIND))
    files = bundle_of(plan.chooser, made.fitted, made.about)
    version = registry.save(models, KIND, files, card, render=render, now=now)
    _sweep(places)
    return Trained(version, registry.load(models, KIND, version).card, found)


def _places(models: Path) -> Places:
    folder = registry.kind_folder(models, KIND)
    return Places(folder / CHECKPOINTS, folder / TENSORBOARD)


def _sweep(places: Places) -> None:
    for path in places.checkpoints.glob("*.pt") if places.checkpoints else ():
        path.unlink(missing_ok=True)


def _champion(
    models: Path, table: EpisodeTable, plan: Plan
) -> tuple[Bundle | None, tuple[str, ...]]:
    """Return the champion if it can be compared here, or why it is not, as a note."""
    name = registry.aliases(models, KIND)["champion"]
    if name is None:
        return None, ()
    try:
        stored = registry.load(models, KIND, name)
        champion = read_bundle(stored.files, f"{KIND} {name}", table.feature_hash)
    except DamagedError as reason:
        return None, (f"not compared with the champion {name}: {reason}",)
    if champion.about.strategies != table.strategies:
        return None, (f"not compared with the champion {name}: it chooses among other strategies",)
    if np.datetime64(registry.seen_until(stored)) >= first_tested(table, plan):
        return None, (
            f"not compared with the champion {name} here: it has seen these sessions; the gate "
            "compares them on sessions that neither has",
        )
    return champion, ()


def _record(
    models: Path, table: EpisodeTable, plan: Plan, found: Evaluation, now: dt.datetime | None
) -> None:
    made = found.results.made
    metrics = {
        "net R a decision": float(made[found.results.worst].mean()),
        "net R a decision of ridge": float(made["ridge"].mean()),
    }
    config = {**plan.told(), "data": table.sha256}
    trials.record(models, KIND, config, metrics, daily=found.daily, now=now)
