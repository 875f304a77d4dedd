"""Whether a candidate may serve: what all kinds share, and the table of each kind's own judge.

A judge gets a `Case` and returns a `Verdict`. Before it is called the sessions are known to be
unseen by challenger and champion alike, to be enough, and to be written into the lockbox's ledger.
"""

from __future__ import annotations

import datetime as dt
import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optiq.errors import EvidenceError
from optiq.learn import ledger_file, lockbox, registry
from optiq.learn.measured import Measured
from optiq.learn.version_folder import Stored
from optiq.market.durable import held, make_folder


@dataclass(frozen=True, slots=True)
class Case:
    """What a judge is asked: who wants to serve instead of whom, and which sessions to judge on.

    ``sessions`` are stored days of all the card's underlyings after everything either model has
    seen. ``champion`` is None where nobody serves: not trading is then the baseline.
    """

    models: Path
    store: Path
    kind: str
    challenger: Stored
    champion: Stored | None
    sessions: tuple[dt.date, ...]
    seed: int = 0
    advance: Callable[[int], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge says: one reason a line (each unmet demand, or what was shown), and figures.

    ``sessions_needed`` is roughly how many more sessions it would take; None where no number of
    sessions would do, or it passed.
    """

    passed: bool
    reasons: tuple[str, ...]
    figures: tuple[Measured, ...] = ()
    sessions_needed: int | None = None


Judge = Callable[[Case], Verdict]
VERDICTS = "verdicts.jsonl"


def _judge_of(module: str) -> Judge:
    """Return a judge that is imported when it is called: some need torch."""

    def judge(case: Case) -> Verdict:
        verdict: Verdict = importlib.import_module(module).judge(case)
        return verdict

    return judge


GATES: dict[str, Judge] = {
    "scorer": _judge_of("optiq.learn.scorer.gate"),
    "policy": _judge_of("optiq.learn.policy.gate"),
    "direction": _judge_of("optiq.learn.direction.gate"),
}
"""Each kind's judge: a module of that name with ``judge(case: Case) -> Verdict``."""


def judge(
    case: Case, *, gates: Mapping[str, Judge] = GATES, now: dt.datetime | None = None
) -> Verdict:
    """Return the verdict on a candidate, opening the lockbox for it; it may refuse without looking.

    Refused unlooked: too few unseen sessions, too soon after the last test. Each look is written
    down before the kind's judge computes anything, and every verdict after. The same question again
    is no further look: an interrupted one is gone on with, an answered one gets the same answer.
    """
    folder = registry.kind_folder(case.models, case.kind)
    looks = lockbox.openings(folder)
    is_last = bool(looks) and _is_of(looks[-1], case)
    if is_last and (told := _told_before(case, len(looks))):
        return told
    look, verdict = _judged(case, gates, now, len(looks) if is_last else None)
    entry = _entry(case, verdict, now, look)
    earlier = verdicts(case.models, case.kind)[-1:]
    if [one | {"time": entry["time"]} for one in earlier] != [entry]:
        ledger_file.append(folder / VERDICTS, entry)
    return verdict


def verdicts(models: Path, kind: str) -> list[dict[str, Any]]:
    """Return every verdict on a kind, oldest first: time, version, passed, reasons, figures."""
    return ledger_file.read(registry.kind_folder(models, kind) / VERDICTS)


def verdict_of(entry: Mapping[str, Any]) -> Verdict:
    """Return the verdict that one line of the ledger holds."""
    return Verdict(
        entry["passed"],
        tuple(entry["reasons"]),
        tuple(Measured.from_json(figure) for figure in entry["figures"]),
        entry["sessions_needed"],
    )


def _judged(
    case: Case, gates: Mapping[str, Judge], now: dt.datetime | None, interrupted: int | None
) -> tuple[int | None, Verdict]:
    """Return the number of the look, None without one, and what came of it."""
    if interrupted:
        return interrupted, gates[case.kind](case)
    folder = registry.kind_folder(case.models, case.kind)
    missing = lockbox.sessions_missing(folder, case.sessions)
    if missing:
        reason, more = missing
        return None, Verdict(False, (reason,), sessions_needed=more)
    challenger = case.challenger
    lockbox.open_lockbox(folder, challenger.version, challenger.model_sha256, case.sessions, now)
    return len(lockbox.openings(folder)), gates[case.kind](case)


def _is_of(opening: lockbox.Opening, case: Case) -> bool:
    """Whether a look was at this model, on these sessions."""
    asked = (case.challenger.version, case.challenger.model_sha256, tuple(sorted(case.sessions)))
    return (opening.version, opening.model_sha256, opening.sessions) == asked


def _told_before(case: Case, look: int) -> Verdict | None:
    """Return the verdict that was written on a look against the same champion, if any was."""
    champion = case.champion.version if case.champion else None
    for entry in reversed(verdicts(case.models, case.kind)):
        if entry.get("look") == look and entry["champion"] == champion:
            return verdict_of(entry)
    return None


def _entry(
    case: Case, verdict: Verdict, now: dt.datetime | None, look: int | None
) -> dict[str, Any]:
    return {
        "look": look,
        "time": (now or dt.datetime.now(dt.UTC)).isoformat(timespec="seconds"),
        "version": case.challenger.version,
        "champion": case.champion.version if case.champion else None,
        "passed": verdict.passed,
        "reasons": list(verdict.reasons),
        "figures": [figure.to_json() for figure in verdict.figures],
        "sessions": len(case.sessions),
        "sessions_needed": verdict.sessions_needed,
    }


@contextmanager
def deciding(models: Path, kind: str) -> Iterator[None]:
    """Hold a kind's gate from the first look to the swap; `BusyError` where another does."""
    folder = registry.kind_folder(models, kind)
    make_folder(folder, option="--models")
    busy = f"another run is promoting a {kind}"
    with held(folder / ".gate", busy, "wait for it to end"):
        yield


def unseen(
    stored_days: Sequence[dt.date], challenger: Stored, champion: Stored | None
) -> tuple[dt.date, ...]:
    """Return the days after everything that challenger and champion have seen."""
    seen = registry.seen_until(challenger)
    if champion is not None:
        seen = max(seen, registry.seen_until(champion))
    return tuple(day for day in sorted(set(stored_days)) if day > seen)


def refusal(kind: str, version: str, verdict: Verdict) -> EvidenceError:
    """Return the refusal of a verdict as the one line a person reads, with what it would take."""
    reasons = "; ".join(verdict.reasons) or "no reason given"
    more = verdict.sessions_needed
    hint = f"about {more:,} more sessions are needed" if more else ""
    return EvidenceError(f"{kind} {version} not promoted: {reasons}", hint)
