"""``optiq drift``: has a day left what the models learnt from."""

from __future__ import annotations

import dataclasses
from typing import Annotated

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

SessionsOption = Annotated[
    int,
    typer.Option("--sessions", min=10, help="How many training sessions to compare with."),
]


def drift(
    date: DateOption = None,
    underlying: UnderlyingOption = "NIFTY",
    sessions: SessionsOption = 100,
    store: StoreOption = STORE,
    models: ModelsOption = MODELS,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare a stored day with training sessions: which features and levels moved.

    The day's own median, distribution and missing share of each, and the last 20 sessions
    together, against thresholds learnt from the training sessions: those up to the last one the
    scorer in force has seen, or, without a scorer, the sessions before the last 20. Finding
    something is no error: the command exits 0.
    """
    from optiq.cli.output import emit, progress
    from optiq.errors import MissingDataError
    from optiq.learn.drift_days import drift as compare
    from optiq.learn.drift_days import needed_sessions
    from optiq.learn.registry import at, load, seen_until
    from optiq.market.store import Store
    from optiq.report.drift_table import show_drift

    opened = Store(store)
    stored = opened.days(underlying)
    if not stored:
        raise MissingDataError(f"{store} holds no {underlying}", "optiq ingest SOURCE")
    day = date or stored[-1].date
    version = at(models, "scorer", day)
    until = seen_until(load(models, "scorer", version)) if version else None
    with progress("Comparing", total=needed_sessions(sessions), unit="days", quiet=as_json) as step:
        found = compare(opened, underlying, day, sessions, until, advance=step)
    result = {
        "underlying": underlying,
        "date": found.date,
        "scorer": version,
        "trained_sessions": len(found.trained),
        "trained_from": found.trained[0],
        "trained_to": found.trained[-1],
        "recent_sessions": len(found.recent),
        "alarms": [moved.feature for moved in found.alarms],
        "features": [
            {**dataclasses.asdict(moved), "is_alarm": moved.is_alarm, "is_trend": moved.is_trend}
            for moved in found.moved
        ],
    }
    emit(result, as_json=as_json, show=lambda screen: show_drift(screen, found, underlying))
