"""``optiq drift``: has a day left what the models learnt from."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optiq.cli.options import (
    MODELS,
    STORE,
    ConfigOption,
    DateOption,
    JsonOption,
    ModelsOption,
    StoreOption,
    UnderlyingOption,
)
from optiq.learn.drift import SESSIONS

if TYPE_CHECKING:
    from optiq.learn.drift.moved import Moved
    from optiq.learn.drift.scores import ScoreDrift

SessionsOption = Annotated[
    int,
    typer.Option("--sessions", min=10, help="How many training sessions to compare with."),
]


def drift(
    date: DateOption = None,
    underlying: UnderlyingOption = "NIFTY",
    sessions: SessionsOption = SESSIONS,
    store: StoreOption = STORE,
    models: ModelsOption = MODELS,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare a stored day with training sessions: which features, levels and scores moved.

    The day's own level, distribution and missing share of each, and the last 5 to 20 sessions
    together, against what the training sessions did: those up to the last one the scorer in force
    has seen, or, without a scorer, the sessions before the last 20. The market's features are also
    compared with what the others of the same sessions make likely, and the scorer's scores with
    those of the first sessions that it had not seen. Finding something is no error: the command
    exits 0.
    """
    from optiq.cli.output import emit, progress
    from optiq.errors import MissingDataError
    from optiq.learn.drift.days import drift as compare
    from optiq.learn.drift.days import needed_sessions
    from optiq.learn.drift.scores import serving
    from optiq.market.store import Store
    from optiq.report.drift_table import show_drift

    opened = Store(store)
    stored = opened.days(underlying)
    if not stored:
        raise MissingDataError(f"{store} holds no {underlying}", "optiq ingest SOURCE")
    day = date or stored[-1].date
    scorer = serving(models, day)
    total = needed_sessions(sessions, scorer)
    with progress("Comparing", total=total, unit="days", quiet=as_json) as step:
        found = compare(opened, underlying, day, sessions, scorer, advance=step)
    result = {
        "underlying": underlying,
        "date": found.date,
        "scorer": scorer.version if scorer else None,
        "trained_sessions": len(found.trained),
        "trained_from": found.trained[0],
        "trained_to": found.trained[-1],
        "recent_sessions": len(found.recent),
        "alarms": [moved.feature for moved in found.alarms],
        "features": [_told(moved) for moved in found.moved],
        "scores": _told_scores(found.scores),
    }
    emit(result, as_json=as_json, show=lambda screen: show_drift(screen, found, underlying))


def _told(moved: Moved) -> dict[str, Any]:
    return {
        **dataclasses.asdict(moved),
        "is_alarm": moved.is_alarm,
        "is_trend": moved.is_trend,
        "lately": moved.lately or None,
    }


def _told_scores(scores: ScoreDrift | None) -> dict[str, Any] | None:
    """Return what was said of the scores, and against which sessions; or why nothing was."""
    if scores is None:
        return None
    return {
        "sessions": len(scores.unseen),
        "from": next(iter(scores.unseen), None),
        "to": next(reversed(scores.unseen), None),
        "recent_sessions": len(scores.recent),
        "why_not": scores.why or None,
        **(_told(scores.moved) if scores.moved else {}),
    }
