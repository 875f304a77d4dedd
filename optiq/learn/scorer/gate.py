"""Whether a scorer may serve: judged on sessions that neither it nor the champion has seen.

On each session both rank the same purchases; what the upper tenth of each came to, in units of
what the stop risks, is that session's result. All of these are demanded:

- its audit for leaks passed (it is audited here if nobody has);
- a champion answers the same question: features, exit rule, underlyings;
- its top tenth made money: the one-sided lower bound is above 0, as not trading is a baseline;
- it made more than the champion's, session by session, at the lower bound;
- its Brier score is not worse than the champion's, or without one the base rate's, by over 0.001
  at the upper bound;
- its expected calibration error is at most 0.05.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optiq.learn import audit
from optiq.learn.dataset import Dataset, dataset
from optiq.learn.gates import Case, Verdict
from optiq.learn.registry import seen_until
from optiq.learn.revision import code_revision
from optiq.learn.scorer.metrics import Scored, calibration_error
from optiq.learn.scorer.model import ScorerModel
from optiq.learn.scorer.recipe import recipe_of
from optiq.learn.validate import Evidence, Interval, Measured, interval, mean_interval
from optiq.learn.validate import sessions_to_prove as to_prove
from optiq.learn.version_folder import Stored
from optiq.market.schema import IST_OFFSET, FloatArray, IntArray
from optiq.market.store import Store

ONE_SIDED_95 = 0.90
"""The two-sided level whose lower end is a one-sided 95 % bound."""
BRIER_ALLOWED = 0.001
ECE_ALLOWED = 0.05
TOP_SHARE = 0.1
OWN = "top tenth's net result, R a session"
GAIN = "top tenth's net result over the champion's, R a session"
BRIER = "Brier less the {}'s"
ECE = "ECE"


@dataclass(frozen=True)
class Unseen:
    """Purchases of unseen sessions, as a challenger and its rival see them.

    ``chance`` and ``rival`` (n,) are calibrated chances, the rival's the champion's or, without
    one (``has_champion`` False), the base rate; rows of either without a chance are left out.
    ``session`` (n,) numbers the sessions from 0, and those without a row count for nothing.
    """

    chance: FloatArray
    rival: FloatArray
    won: FloatArray
    r: FloatArray
    session: IntArray
    n_sessions: int
    has_champion: bool

    def known(self) -> Unseen:
        """Return the rows on which both say something."""
        kept = ~np.isnan(self.chance) & ~np.isnan(self.rival)
        _, session = np.unique(self.session[kept], return_inverse=True)
        n_sessions = int(session.max(initial=-1)) + 1
        return Unseen(
            self.chance[kept],
            self.rival[kept],
            self.won[kept],
            self.r[kept],
            session,
            n_sessions,
            self.has_champion,
        )


@dataclass(frozen=True, slots=True)
class Demand:
    """One demand: the figure, whether it is met, and what is said where it is not."""

    metric: str
    interval: Interval
    met: bool
    unmet: str


def judge(case: Case) -> Verdict:
    """Return the verdict on a scorer, from the case's unseen sessions."""
    faults = audit.faults(case.models, case.store, case.challenger)
    model = ScorerModel.from_files(case.challenger.files)
    champion = ScorerModel.from_files(case.champion.files) if case.champion else None
    if champion is not None and _asked(champion) != _asked(model):
        faults.append("the champion answers another question: it cannot be compared")
        return Verdict(False, tuple(faults))
    rows = _rows(case)
    if not len(rows):
        return Verdict(False, (*faults, "no purchase on the unseen sessions has a label"))
    base = float(case.challenger.card["share_of_winners"])
    unseen = _seen_by(rows, model, champion, base)
    asked = demands(unseen, case.seed)
    evidence = _evidence(case, rows)
    figures = tuple(Measured(one.metric, one.interval, evidence) for one in asked)
    unmet = [*faults, *(one.unmet for one in asked if not one.met)]
    if not unmet:
        return Verdict(True, tuple(f"{one.metric} as demanded" for one in asked), figures)
    return Verdict(False, tuple(unmet), figures, more_sessions(unseen))


def demands(unseen: Unseen, seed: int = 0) -> list[Demand]:
    """Return every demand on a scorer's figures, met or not; intervals resample sessions."""
    rows = unseen.known()
    own, rival = top_tenth(rows, rows.chance), top_tenth(rows, rows.rival)
    mean = _mean(own, seed)
    asked = [Demand(OWN, mean, mean.low > 0, _below(OWN, mean))]
    if rows.has_champion:
        gain = _mean(own - rival, seed)
        asked.append(Demand(GAIN, gain, gain.low > 0, _below(GAIN, gain)))
    return [*asked, _brier(rows, seed), _ece(rows, seed)]


def top_tenth(rows: Unseen, chance: FloatArray) -> FloatArray:
    """Return (n_sessions,) the mean result of each session's tenth with the highest chances.

    Of equal chances all count as much: ties at the edge share what room is left.
    """
    order = np.lexsort((-chance, rows.session))
    starts = np.searchsorted(rows.session[order], np.arange(rows.n_sessions + 1))
    means = np.empty(rows.n_sessions)
    for day in range(rows.n_sessions):
        mine = order[starts[day] : starts[day + 1]]
        room = max(1, round(TOP_SHARE * len(mine)))
        edge = chance[mine[room - 1]]
        above, tied = mine[chance[mine] > edge], mine[chance[mine] == edge]
        left = room - len(above)
        means[day] = (rows.r[above].sum() + left * rows.r[tied].mean()) / room
    return means


def more_sessions(unseen: Unseen) -> int | None:
    """Return roughly how many more sessions a proof would take; None where none would do."""
    rows = unseen.known()
    own, rival = top_tenth(rows, rows.chance), top_tenth(rows, rows.rival)
    needed = [to_prove(own), *([to_prove(own - rival)] if rows.has_champion else [])]
    if any(one is None for one in needed):
        return None
    return max(max(one for one in needed if one is not None) - rows.n_sessions, 1)


def _brier(rows: Unseen, seed: int) -> Demand:
    metric = BRIER.format("champion" if rows.has_champion else "base rate")
    gap = (rows.chance - rows.won) ** 2 - (rows.rival - rows.won) ** 2
    sums = np.bincount(rows.session, gap, rows.n_sessions)
    counts = np.bincount(rows.session, minlength=rows.n_sessions)
    found = mean_interval(sums, counts, level=ONE_SIDED_95, seed=seed)
    same = bool((gap == 0).all())
    met = same or found.high <= BRIER_ALLOWED
    return Demand(
        metric, found, met, f"{metric} may reach {found.high:+.4f}, over {BRIER_ALLOWED:+.3f}"
    )


def _ece(rows: Unseen, seed: int) -> Demand:
    scored = Scored(
        rows.chance,
        rows.chance,
        rows.won > 0,
        rows.r,
        rows.rival,
        rows.session,
        rows.n_sessions,
    )
    found = interval(calibration_error(scored), rows.n_sessions, level=ONE_SIDED_95, seed=seed)
    met = found.value <= ECE_ALLOWED
    return Demand(ECE, found, met, f"{ECE} is {found.value:.3f}, over {ECE_ALLOWED:g}")


def _mean(daily: FloatArray, seed: int) -> Interval:
    return mean_interval(daily, np.ones(len(daily)), level=ONE_SIDED_95, seed=seed)


def _below(metric: str, found: Interval) -> str:
    bound = f"{found.low:+.3f}" if found.is_known else f"unknown ({found.note})"
    return f"{metric}: {found.value:+.3f}, its lower bound {bound}, not above 0"


def _asked(model: ScorerModel) -> tuple[object, ...]:
    told = model.question.to_json()
    return repr(told["exits"]), set(model.question.underlyings)


def _rows(case: Case) -> Dataset:
    store, wanted = Store(case.store), set(case.sessions)
    names: Sequence[str] = case.challenger.card["underlyings"]
    days = [day for name in names for day in store.days(name) if day.date in wanted]
    return dataset(store, days, recipe_of(case.challenger.card), advance=case.advance)


def _seen_by(
    rows: Dataset, model: ScorerModel, champion: ScorerModel | None, base: float
) -> Unseen:
    sessions, session = np.unique(rows.session, return_inverse=True)
    mine = model.chance(rows.features)
    rival = np.full(len(rows), base) if champion is None else champion.chance(rows.features)
    won = rows.won.astype(np.float64)
    return Unseen(mine, rival, won, rows.r, session, len(sessions), champion is not None)


def _evidence(case: Case, rows: Dataset) -> Evidence:
    both: list[Stored] = [one for one in (case.challenger, case.champion) if one is not None]
    last = np.datetime64(max(map(seen_until, both)), "D") + np.timedelta64(1, "D")
    return Evidence(
        split="sessions that neither challenger nor champion has seen",
        rows=len(rows),
        sessions=len(np.unique(rows.session)),
        first=rows.session.min().item(),
        last=rows.session.max().item(),
        fitted_until=np.datetime64(last.astype("datetime64[us]") - IST_OFFSET),
        tested_from=np.datetime64(rows.ts.min()),
        data_sha256=rows.sha256,
        model_sha256=case.challenger.model_sha256,
        code=code_revision(),
    )
