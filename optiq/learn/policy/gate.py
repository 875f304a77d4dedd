"""Whether a policy may serve: judged on sessions that neither it nor the champion has seen.

What is demanded is in `optiq.learn.policy.demands`; its audit must have passed as well.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from optiq.errors import DamagedError, MissingDataError
from optiq.learn import audit
from optiq.learn.gates import Case, Verdict
from optiq.learn.measured import Evidence
from optiq.learn.policy.bundle import Bundle, read_bundle
from optiq.learn.policy.demands import demands, figures_of, more_sessions, reasons
from optiq.learn.policy.episode_table import EpisodeTable, read_episodes
from optiq.learn.policy.results import results_of
from optiq.learn.registry import seen_until
from optiq.learn.revision import code_revision
from optiq.learn.version_folder import Stored
from optiq.market.schema import IST_OFFSET


def judge(case: Case) -> Verdict:
    """Return the verdict on a policy, from the episodes of the case's unseen sessions."""
    mine = _bundle(case.challenger)
    champion = _bundle(case.champion) if case.champion else None
    try:
        table = _episodes(case)
    except (MissingDataError, DamagedError) as reason:
        return Verdict(False, (str(reason),))
    if unfit := _unfit(mine, champion, table):
        return Verdict(False, (unfit,))
    found = audit.faults(case.models, case.store, case.challenger)
    return verdict_on(mine, champion, table, _evidence(case, table), found, case.seed)


def verdict_on(
    policy: Bundle,
    champion: Bundle | None,
    table: EpisodeTable,
    evidence: Evidence,
    faults: Sequence[str] = (),
    seed: int = 0,
) -> Verdict:
    """Return the verdict on unseen episodes; ``faults`` are what an audit found."""
    results = results_of(policy, table, champion)
    asked = demands(results, results.worst, seed)
    figures = tuple(figures_of(results, evidence)[results.worst])
    passed = not faults and all(one.met for one in asked)
    if passed:
        return Verdict(True, reasons(results, asked), figures)
    unmet = reasons(results, asked) if any(not one.met for one in asked) else ()
    return Verdict(False, (*faults, *unmet), figures, more_sessions(results))


def _bundle(stored: Stored) -> Bundle:
    return read_bundle(stored.files, f"{stored.kind} {stored.version}")


def _episodes(case: Case) -> EpisodeTable:
    days = sorted(case.sessions)
    names = list(case.challenger.card["underlyings"])
    table = read_episodes(case.store, names, days[0], days[-1]).of_sessions(days)
    missing = len(days) - len(table.sessions)
    if missing:
        raise MissingDataError(
            f"{missing} of {len(days)} unseen sessions have no episodes: optiq episodes build"
        )
    return table


def _unfit(policy: Bundle, champion: Bundle | None, table: EpisodeTable) -> str:
    """Return why these episodes, or the champion, cannot be asked; nothing where they can."""
    if policy.about.walk_hash != table.walk_hash:
        return (
            "the unseen sessions' episodes were walked by other settings, charges or strategies "
            "than it learnt from: build them with the same"
        )
    if champion is None:
        return ""
    same = champion.about.strategies == policy.about.strategies
    same = same and set(champion.about.underlyings) == set(policy.about.underlyings)
    return "" if same else "the champion answers another question: it cannot be compared"


def _evidence(case: Case, table: EpisodeTable) -> Evidence:
    both = [one for one in (case.challenger, case.champion) if one is not None]
    last = np.datetime64(max(map(seen_until, both)), "D") + np.timedelta64(1, "D")
    return Evidence(
        split="sessions that neither challenger nor champion has seen",
        rows=len(table),
        sessions=len(table.sessions),
        first=table.sessions[0].item(),
        last=table.sessions[-1].item(),
        fitted_until=np.datetime64(last.astype("datetime64[us]") - IST_OFFSET),
        tested_from=np.datetime64(table.ts.min()),
        data_sha256=table.sha256,
        model_sha256=case.challenger.model_sha256,
        code=code_revision(),
    )
