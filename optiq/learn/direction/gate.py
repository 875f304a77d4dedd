"""Whether a direction model may serve: judged on sessions that no model has seen.

All of these, each with a lower bound above zero where it is a comparison:

- its audit passed;
- its log loss beats the prior's;
- it knows the side, and not only how far the market will move;
- if it is the transformer, its log loss beats that of LightGBM fitted on the same sessions;
- where one serves already, it answers the same question, and its log loss beats the champion's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from optiq.learn import audit as audits
from optiq.learn.direction.figures import (
    KNOWS_SIDE,
    SAVED,
    Said,
    figures_of,
    is_above_zero,
    named,
)
from optiq.learn.direction.forecasters import PRIOR, TRANSFORMER, TREES
from optiq.learn.direction.labels import BUY, SELL
from optiq.learn.direction.measuring import traded_net
from optiq.learn.direction.model import Bundle, DirectionModel, read_bundle
from optiq.learn.direction.sample import Sample, stored_sample
from optiq.learn.gates import Case, Verdict
from optiq.learn.intervals import sessions_to_prove
from optiq.learn.measured import Evidence, Measured
from optiq.learn.registry import seen_until
from optiq.learn.revision import code_revision
from optiq.learn.version_folder import Stored
from optiq.market.store import Store

CHAMPION = "the champion"


def judge(case: Case) -> Verdict:
    """Return the verdict on a direction model, from the case's unseen sessions."""
    store, card = Store(case.store), case.challenger.card
    bundle = _bundle(case.challenger)
    if case.champion is not None and _asked(case.champion) != _asked(case.challenger):
        return Verdict(False, ("the champion answers another question: it cannot be compared",))
    sample = stored_sample(
        store,
        card["underlyings"][0],
        case.sessions,
        bundle.speaks.rule,
        float(card["settings"]["minutes_apart"]),
        case.advance,
    )
    said = {name: unseen(sample, model, bundle) for name, model in bundle.models.items()}
    mine = _traded(store, card["underlyings"][0], sample, bundle.speaks, said[bundle.chosen])
    rivals = _rivals(bundle, said)
    if case.champion is not None:
        champion = _bundle(case.champion)
        rivals[CHAMPION] = unseen(sample, champion.speaks, champion)
    figures = figures_of(mine, _evidence(case, sample), rivals)
    demands = [SAVED.format(name) for name in rivals] + [KNOWS_SIDE]
    unmet = [
        *_audit_faults(case, card),
        *(_unmet(named(figures, metric)) for metric in demands if not _met(figures, metric)),
    ]
    return Verdict(
        not unmet,
        tuple(unmet) or tuple(f"{metric}: lower bound above 0" for metric in demands),
        tuple(figures),
        None if not unmet else _more_sessions(mine, rivals[PRIOR]),
    )


def unseen(sample: Sample, model: DirectionModel, bundle: Bundle) -> Said:
    """Return what a model says of every window of a sample."""
    everything = np.arange(len(sample.label))
    probabilities = [model.of_day(day.seen)[rows] for day, rows, _ in sample.by_day(everything)]
    prior = bundle.models[PRIOR].forecaster if PRIOR in bundle.models else None
    shares = np.ones(3) if prior is None else np.asarray(getattr(prior, "shares", np.ones(3)))
    return Said(
        sample.day,
        sample.label,
        np.concatenate(probabilities),
        np.full(len(sample.days), np.nan),
        np.repeat(shares[None, [SELL, BUY]], len(sample.label), axis=0),
    )


def _bundle(stored: Stored) -> Bundle:
    return read_bundle(stored.files, f"{stored.kind} {stored.version}")


def _asked(stored: Stored) -> tuple[set[str], str]:
    """Return what a model was asked: its width of a deviation is learnt, and may differ."""
    return set(stored.card["underlyings"]), _bundle(stored).speaks.rule.words


def _rivals(bundle: Bundle, said: Mapping[str, Said]) -> dict[str, Said]:
    names = (PRIOR, TREES) if bundle.chosen == TRANSFORMER else (PRIOR,)
    return {name: said[name] for name in names}


def _traded(
    store: Store, underlying: str, sample: Sample, model: DirectionModel, said: Said
) -> Said:
    profit = [
        traded_net(
            store.read_panel(underlying, day.session),
            store.context(underlying, day.session),
            model,
            model.of_day(day.seen),
        )
        for day in sample.days
    ]
    return Said(said.session, said.label, said.probabilities, np.array(profit), said.sides)


def _evidence(case: Case, sample: Sample) -> Evidence:
    seen = [seen_until(one) for one in (case.challenger, case.champion) if one is not None]
    last = np.datetime64(max(seen)) + np.timedelta64(18, "h")  # midnight of that day in India
    return Evidence(
        split="sessions that neither challenger nor champion has seen",
        rows=len(sample.label),
        sessions=len(sample.days),
        first=sample.days[0].session,
        last=sample.days[-1].session,
        fitted_until=last,
        tested_from=np.datetime64(sample.ts.min()),
        data_sha256=sample.sha256,
        model_sha256=case.challenger.model_sha256,
        code=code_revision(),
    )


def _audit_faults(case: Case, card: Mapping[str, Any]) -> list[str]:
    """Return what the latest audit found, that of the training where there was none since."""
    found = audits.latest(case.models, case.challenger)
    checks = card.get("audit") if found is None else [one.to_json() for one in found]
    if not checks:
        return ["it was never audited"]
    return [f"audit: {check['check']}: {check['says']}" for check in checks if not check["passed"]]


def _met(figures: list[Measured], metric: str) -> bool:
    return is_above_zero(named(figures, metric))


def _unmet(figure: Measured | None) -> str:
    if figure is None:
        return "a comparison is missing"
    bounds = figure.interval
    shown = f"{bounds.low:.4f}" if bounds.is_known else f"unknown ({bounds.note})"
    return f"{figure.metric} is {bounds.value:.4f}, its lower bound {shown}, not above 0"


def _more_sessions(mine: Said, prior: Said) -> int | None:
    saved = prior.losses - mine.losses
    n = int(mine.session.max()) + 1
    daily = np.bincount(mine.session, saved, n) / np.bincount(mine.session, minlength=n)
    needed = sessions_to_prove(daily)
    return None if needed is None else max(needed - n, 1)
