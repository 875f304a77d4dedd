"""What a policy must show on decisions nobody was fitted on, and the honest words where it fails.

- Its own net R a decision is above zero: not trading is a baseline.
- It makes more than choosing at random, than the best single strategy of the training sessions, and
  than equal weights; Holm's correction is over these three.
- It is not worse than ridge by more than 0.02 R a decision.
- Where one serves already, it makes more than the champion.

Bounds are one-sided at 95 %, by resampling sessions. Of a soft actor-critic the worst seed counts.
"""

from __future__ import annotations

from collections.abc import Sequence

from optiq.learn.intervals import Interval, sessions_to_prove
from optiq.learn.policy.choosers import RIDGE, SAC, TREES
from optiq.learn.policy.results import BASELINES, CHAMPION, ORACLE, Results
from optiq.learn.scorer.gate import ONE_SIDED_95, Demand
from optiq.learn.validate import Evidence, Measured

RIDGE_ALLOWED = 0.02
NET, OVER = "net R a decision", "net R a decision over {}"
REGRET, SHARE = "regret, R a decision", "share of the oracle"
SPREAD = "spread over seeds, R a decision"


def demands(results: Results, name: str, seed: int = 0) -> list[Demand]:
    """Return every demand on one of ``results.made``, met or not."""
    own = results.mean(results.made[name], ONE_SIDED_95, seed)
    asked = [_above_zero(NET, own)]
    asked += [
        _above_zero(OVER.format(rival), found)
        for rival, found in over_baselines(results, name, seed).items()
    ]
    if name != RIDGE:
        asked.append(_not_behind(RIDGE, _over(results, name, RIDGE, ONE_SIDED_95, seed)))
    if CHAMPION in results.made:
        found = _over(results, name, CHAMPION, ONE_SIDED_95, seed)
        asked.append(_above_zero(OVER.format(CHAMPION), found))
    return asked


def over_baselines(results: Results, name: str, seed: int = 0) -> dict[str, Interval]:
    """Return the differences to the three baselines, their one-sided bounds by Holm at 95 %.

    The clearest difference answers to a third of the 5 %, the next to half, the last to all.
    """
    plain = {rival: _over(results, name, rival, ONE_SIDED_95, seed) for rival in BASELINES}
    clearest = sorted(plain, key=lambda rival: _clarity(plain[rival]), reverse=True)
    corrected = {
        rival: _over(results, name, rival, 1.0 - 0.10 / (len(clearest) - place), seed)
        for place, rival in enumerate(clearest)
    }
    return {rival: corrected[rival] for rival in BASELINES}


def figures_of(results: Results, evidence: Evidence) -> dict[str, list[Measured]]:
    """Return every figure by whose it is; those of the one that counts with all differences."""
    figures = {name: _plain(results, name, evidence) for name in results.made}
    compared = {one.metric: one.interval for one in demands(results, results.worst)[1:]}
    if results.chooser != TREES:
        own = _over(results, results.worst, TREES, ONE_SIDED_95, 0)
        compared[OVER.format(TREES)] = own
    if len(results.own) > 1:
        compared[SPREAD] = results.spread()
    figures[results.worst] += [Measured(*one, evidence) for one in compared.items()]
    return figures


def _plain(results: Results, name: str, evidence: Evidence) -> list[Measured]:
    made, best = results.made[name], results.made[ORACLE]
    found = {NET: results.mean(made)}
    if name != ORACLE:
        found |= {REGRET: results.mean(best - made), SHARE: results.share(name)}
    return [Measured(*one, evidence) for one in found.items()]


def reasons(results: Results, asked: Sequence[Demand]) -> tuple[str, ...]:
    """Return what is unmet, in words, or what was shown; and whom to serve instead, if anybody."""
    unmet = [one.unmet for one in asked if not one.met]
    if not unmet:
        return tuple(f"{one.metric} as demanded" for one in asked)
    return (*unmet, *_instead(results))


def more_sessions(results: Results) -> int | None:
    """Return roughly how many more sessions a proof would take; None where none would do."""
    mine = results.made[results.worst]
    compared = [mine, *(mine - results.made[rival] for rival in BASELINES)]
    if CHAMPION in results.made:
        compared.append(mine - results.made[CHAMPION])
    counts = [sessions_to_prove(results.daily(values)) for values in compared]
    known = [count for count in counts if count is not None]
    if len(known) < len(counts):
        return None
    return max(max(known) - results.n_sessions, 1)


def _instead(results: Results) -> list[str]:
    """Return the advice to serve a simpler chooser that would pass where this one does not."""
    others = [name for name in (RIDGE, TREES) if name != results.chooser]
    able = [name for name in others if all(one.met for one in demands(results, name))]
    if able:
        best = max(able, key=lambda name: float(results.made[name].sum()))
        return [f"{best} is better and meets every demand; serve {best}? --chooser {best}"]
    gap = results.mean(results.made[RIDGE] - results.made[results.worst]).value
    if results.chooser == SAC and gap > RIDGE_ALLOWED:
        return [f"ridge is better by {gap:.3f} R a decision; serve ridge? --chooser ridge"]
    return []


def _over(results: Results, name: str, rival: str, level: float, seed: int) -> Interval:
    return results.mean(results.made[name] - results.made[rival], level, seed)


def _clarity(found: Interval) -> float:
    """Return a difference in units of its one-sided bound; all have as many sessions."""
    if not found.is_known:
        return float("-inf")
    return found.value / (found.value - found.low)


def _above_zero(metric: str, found: Interval) -> Demand:
    bound = f"{found.low:+.4f}" if found.is_known else f"unknown ({found.note})"
    words = f"{metric} is {found.value:+.4f}, its lower bound {bound}, not above 0"
    return Demand(metric, found, found.is_known and found.low > 0, words)


def _not_behind(rival: str, found: Interval) -> Demand:
    metric = OVER.format(rival)
    words = f"{metric} is {found.value:+.4f}: worse by more than {RIDGE_ALLOWED:g} R"
    return Demand(metric, found, found.value >= -RIDGE_ALLOWED, words)
