"""The steps of an evening that need no training: data in, quality, episodes, the gate, drift."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optiq.errors import EvidenceError, InputError, MissingDataError
from optiq.learn.drift import SESSIONS
from optiq.learn.evening.manifest import Facts
from optiq.learn.evening.night import EveningStep, Skipped, Tonight
from optiq.learn.evening.settings import EveningSettings
from optiq.learn.gates import GATES, Judge
from optiq.learn.promoting import Decision, decide
from optiq.market.store import Store
from optiq.run.episodes import FOLDER as EPISODES
from optiq.run.sessions import StoredSession, read_session, session_folders

if TYPE_CHECKING:
    from optiq.learn.drift.scores import ScoreDrift

REPLAY = "replay"
COUNTS = ("rows_in", "rows_kept", "duplicates", "quarantined")

Trainer = Callable[[Tonight], Facts]
"""Trains and stores a candidate; its facts have its ``version``, what it learnt from and notes."""
BuildEpisodes = Callable[[Tonight, str], None]
"""Writes the evening's episodes of an index."""


def steps_of(
    settings: EveningSettings,
    build_episodes: BuildEpisodes,
    trainers: Mapping[str, Trainer],
    gates: Mapping[str, Judge] = GATES,
) -> list[EveningStep]:
    """Return an evening's steps in order; ``trainers`` are by kind, in order too."""
    names = settings.underlyings
    needed = {"scorer": ("check",), "policy": ("episodes",), "direction": ("check",)}
    return [
        EveningStep("ingest", lambda tonight: _ingest(tonight, settings)),
        EveningStep("check", lambda tonight: _check(tonight, names), ("ingest",)),
        EveningStep(
            "episodes", lambda tonight: _episodes(tonight, names, build_episodes), ("check",)
        ),
        *(EveningStep(kind, act, needed[kind]) for kind, act in trainers.items()),
        EveningStep(
            "judge", lambda tonight: _judge(tonight, tuple(trainers), gates), (), tuple(trainers)
        ),
        EveningStep("drift", lambda tonight: _drift(tonight, names), ("check",)),
    ]


def _ingest(tonight: Tonight, settings: EveningSettings) -> Facts:
    """Put the day's live paper sessions and recordings into the store, each source apart."""
    from optiq.market.ingest.pipeline import ingest

    missing: list[str] = []
    failed: list[str] = []
    for source in _sources(tonight, settings):
        try:
            report = ingest([source], Store(tonight.store), progress=tonight.advance)
        except InputError as reason:
            missing.append(str(reason))
        else:
            failed.extend(str(error) for error in report.failed)
    return {"missing": missing, "failed": failed}


def _sources(tonight: Tonight, settings: EveningSettings) -> Iterator[str]:
    for session in _live_sessions(tonight):
        yield str(session.folder / "session")
    for source in settings.sources:
        yield str(source).replace("{date}", tonight.date.isoformat())


def _live_sessions(tonight: Tonight) -> Iterator[StoredSession]:
    for folder in session_folders(tonight.store):
        session = read_session(folder)
        if session.plan.feed != REPLAY and session.plan.date == tonight.date:
            yield session


def _check(tonight: Tonight, names: Sequence[str]) -> Facts:
    """Say what is stored of the day and what is odd about it; without any of it, no data."""
    from optiq.market.quality import check_day

    store = Store(tonight.store)
    missing = [name for name in names if not store.has_day(name, tonight.date)]
    if missing:
        raise MissingDataError(
            f"no {' and no '.join(missing)} of {tonight.date} came in",
            "name its recording under sources, or ingest it",
        )
    told = {}
    for name in names:
        day = store.manifest(name, tonight.date)
        told[name] = {
            "rows": day.rows,
            "snapshots": day.snapshots,
            "contracts": day.contracts,
            "first": day.first,
            "last": day.last,
            "content": day.content_id,
            "sources": [
                {"name": Path(one.name).name, **{count: getattr(one, count) for count in COUNTS}}
                for one in day.sources
            ],
            "notes": list(day.notes),
            "odd": [text for _, text in check_day(store, day)],
        }
        tonight.advance(1)
    return told


def _episodes(tonight: Tonight, names: Sequence[str], build: BuildEpisodes) -> Facts:
    """Make the day's episodes, unless its paper session has logged them with its own choices."""
    import pyarrow.parquet as pq

    told: dict[str, Any] = {}
    for name in names:
        place = tonight.store / EPISODES / f"underlying={name}" / f"date={tonight.date}"
        path = place / "part.parquet"
        if not path.is_file():
            build(tonight, name)
        told[name] = {"episodes": pq.read_metadata(path).num_rows, **_origin_of(path)}
        tonight.advance(1)
    return told


def _origin_of(path: Path) -> Facts:
    """Return whose episodes a file holds, and which direction model they saw, None without one.

    Read from the file, as whoever was killed after writing it must tell the same.
    """
    import pyarrow.parquet as pq

    names = pq.read_schema(path).names
    known = [name for name in ("session", "direction_version") if name in names]
    lines: list[Facts] = pq.read_table(path, columns=known).slice(0, 1).to_pylist()
    first = lines[0] if lines else {}
    return {"from": first.get("session", ""), "direction": first.get("direction_version") or None}


def _judge(tonight: Tonight, kinds: Sequence[str], gates: Mapping[str, Judge]) -> Facts:
    """Ask each new candidate's gate, and promote those that pass."""
    told = {}
    for kind in kinds:
        version = tonight.facts(kind).get("version")
        if version is not None:
            decision = decide(
                tonight.models,
                tonight.store,
                kind,
                version,
                until=tonight.date,
                now=tonight.now,
                gate=gates,
            )
            told[kind] = _told(decision)
            tonight.advance(1)
    return told


def _told(decision: Decision) -> dict[str, Any]:
    verdict, promotion = decision.verdict, decision.promotion
    return {
        "version": decision.version,
        "promoted": promotion is not None,
        "takes_effect": promotion.takes_effect.isoformat() if promotion else None,
        "reasons": list(verdict.reasons) if verdict else [],
        "sessions_needed": verdict.sessions_needed if verdict else None,
        "figures": [figure.to_json() for figure in verdict.figures] if verdict else [],
    }


def _drift(tonight: Tonight, names: Sequence[str]) -> Facts:
    """Compare the day with the sessions the serving scorer learnt from, and what it says of it."""
    from optiq.learn.drift.days import drift
    from optiq.learn.drift.scores import serving

    store, told, last = Store(tonight.store), {}, ""
    scorer = serving(tonight.models, tonight.date)
    for name in names:
        try:
            found = drift(store, name, tonight.date, SESSIONS, scorer, tonight.advance)
        except EvidenceError as reason:
            last = str(reason)
            continue
        told[name] = {
            "against": len(found.trained),
            "compared": len(found.everything),
            "alarms": [
                {
                    "feature": moved.feature,
                    "part": moved.part if moved.is_alarm else f"lately {moved.lately}",
                    "excess": round(moved.excess, 2),
                }
                for moved in found.alarms
            ],
            "scores": _scores(found.scores),
        }
    if not told:
        raise Skipped(last)
    return told


def _scores(scores: ScoreDrift | None) -> dict[str, Any] | None:
    if scores is None:
        return None
    return {"version": scores.version, "against": len(scores.unseen), "why_not": scores.why}
