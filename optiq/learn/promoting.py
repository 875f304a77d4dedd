"""From a candidate to a champion: the case for the gate, the verdict, and the swap if it passed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from optiq.learn import gates, registry
from optiq.learn.aliases import Promotion
from optiq.learn.gates import GATES, Case, Judge, Verdict
from optiq.learn.policy.episode_table import sessions_with_episodes
from optiq.learn.version_folder import Stored
from optiq.market.calendar import sessions_between
from optiq.market.manifest import listed

POLICY = "policy"
ONE_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Decision:
    """What came of a candidate; ``promotion`` is None where it was refused."""

    version: str
    verdict: Verdict | None
    promotion: Promotion | None


def case_of(
    models: Path,
    store: Path,
    challenger: Stored,
    until: dt.date | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> Case:
    """Return the case of a candidate against the champion, on stored days up to ``until``."""
    kind = challenger.kind
    name = registry.aliases(models, kind)["champion"]
    champion = registry.load(models, kind, name) if name else None
    names = challenger.card["underlyings"]
    stored = [{day.date for day in listed(store, one)} for one in names]
    if kind == POLICY:  # it is judged on episodes, and a look at days without any would be wasted
        stored.append(sessions_with_episodes(store, names))
    common = sorted(set.intersection(*stored)) if stored else []
    days = gates.unseen(
        [day for day in common if until is None or day <= until], challenger, champion
    )
    return Case(models, store, kind, challenger, champion, days, advance=advance)


def decide(
    models: Path,
    store: Path,
    kind: str,
    version: str,
    *,
    until: dt.date,
    now: dt.datetime,
    gate: Mapping[str, Judge] = GATES,
) -> Decision:
    """Judge a candidate and promote it if it passes; done before, it is told and not done again.

    It serves from the session after the last one looked at, and from none that has begun.
    """
    with gates.deciding(models, kind):
        latest = next(reversed(registry.promotions(models, kind)), None)
        if latest is not None and latest.version == version:
            return Decision(version, _written(models, kind, version), latest)
        case = case_of(models, store, registry.load(models, kind, version), until)
        verdict = gates.judge(case, gates=gate, now=now)
        if not verdict.passed:
            return Decision(version, verdict, None)
        seen = max([registry.seen_until(case.challenger), *case.sessions])
        promotion = registry.promote(
            models,
            kind,
            version,
            takes_effect=first_session(max(seen + ONE_DAY, registry.next_morning(now))),
            reason="; ".join(verdict.reasons) or "passed the gate",
            now=now,
        )
    return Decision(version, verdict, promotion)


def first_session(day: dt.date) -> dt.date:
    """Return a day if it is a session, else the next one."""
    return sessions_between(day, day + 14 * ONE_DAY)[0]


def _written(models: Path, kind: str, version: str) -> Verdict | None:
    """Return the verdict that let a version serve; None where nobody was asked."""
    for entry in reversed(gates.verdicts(models, kind)):
        if entry["version"] == version:
            return gates.verdict_of(entry)
    return None
