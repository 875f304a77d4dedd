"""What the evening does in its steps: the same training, episodes and page as the commands'."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optiq.errors import InputError

if TYPE_CHECKING:
    from optiq.learn.evening.manifest import Facts, Manifest
    from optiq.learn.evening.night import EveningStep, Tonight
    from optiq.learn.evening.settings import EveningSettings
    from optiq.learn.evening.steps import BuildEpisodes, Trainer


def steps_on(
    date: dt.date,
    settings: EveningSettings,
    extra: Collection[str],
    config: Path | None,
    overrides: Sequence[str],
) -> list[EveningStep]:
    """Return the steps of an evening: the scorer always, others if asked for or on their day."""
    from optiq.learn.evening.settings import EXTRA, WEEKDAYS
    from optiq.learn.evening.steps import steps_of

    if unknown := sorted(set(extra) - set(EXTRA)):
        raise InputError(f"--with {unknown[0]}", f"give {' or '.join(EXTRA)}")
    today = WEEKDAYS[date.weekday()]
    on = {"policy": settings.policy_on, "direction": settings.direction_on}
    trainers: dict[str, Trainer] = {"scorer": _scorer(settings, config, overrides)}
    makers = {"policy": _policy, "direction": _direction}
    for kind, make in makers.items():
        if kind in extra or today in on[kind]:
            trainers[kind] = make(settings)
    return steps_of(settings, _episodes(config, overrides), trainers)


def conclude(models: Path, limit: int, manifest: Manifest, folder: Path) -> None:
    """Write the evening's page and text beside its manifest."""
    from optiq.market.durable import durable_write
    from optiq.report.evening_page import evening_page
    from optiq.report.evening_summary import summary_of, text_of

    summary = summary_of(manifest, serving(models, manifest.date, limit))
    durable_write(folder / "evening.html", evening_page(manifest, summary))
    durable_write(folder / "evening.txt", text_of(summary) + "\n")


def serving(models: Path, date: dt.date, limit: int) -> dict[str, str]:
    """Return in words who serves from the evening on, by kind; the scorer even if nobody does."""
    from optiq.learn import registry
    from optiq.learn.staleness import age_of

    told = {}
    for kind in registry.KINDS:
        champion = registry.aliases(models, kind)["champion"]
        if champion is not None:
            told[kind] = age_of(models, kind, champion, date, limit).words
        elif kind == "scorer":
            told[kind] = "scorer: nobody serves, no candidate has passed the gate yet"
    return told


def _episodes(config: Path | None, overrides: Sequence[str]) -> BuildEpisodes:
    def build(tonight: Tonight, underlying: str) -> None:
        from optiq.cli.settings import run_settings
        from optiq.learn.direction.serving import direction_named
        from optiq.market.store import Store
        from optiq.run.choosing import RANDOM, chooser_named
        from optiq.run.episodes import build as build_days

        settings, strategies, _ = run_settings([], config, overrides)
        chooser, quiet = chooser_named(RANDOM, strategies, 0), lambda _: None
        model = direction_named(tonight.models, None, strategies)
        about = Store(tonight.store), underlying, [tonight.date], strategies, settings
        build_days(*about, chooser, quiet, model)

    return build


def _scorer(settings: EveningSettings, config: Path | None, overrides: Sequence[str]) -> Trainer:
    def train(tonight: Tonight) -> Facts:
        from optiq.cli.settings import run_settings
        from optiq.learn.dataset import Recipe, dataset
        from optiq.learn.scorer.candidate import candidate, days_to_learn
        from optiq.learn.scorer.card import notes
        from optiq.learn.scorer.training import Plan
        from optiq.market.store import Store
        from optiq.report.card import card_page

        store, names = Store(tonight.store), settings.underlyings
        run, (strategy,), _ = run_settings([settings.rule], config, overrides)
        recipe, plan = Recipe(strategy, run), Plan(lockbox=settings.lockbox)
        days = days_to_learn(store, names, tonight.date, settings.lookback)
        rows = dataset(store, days, recipe, advance=tonight.advance)
        made = candidate(
            tonight.models,
            rows,
            names,
            recipe,
            plan,
            render=card_page,
            advance=tonight.advance,
            now=tonight.now,
        )
        return {**_facts(made.version, made.card), "notes": list(notes(made.result, made.worth))}

    return train


def _direction(settings: EveningSettings) -> Trainer:
    def train(tonight: Tonight) -> Facts:
        from optiq.learn.direction.fit import Training
        from optiq.learn.direction.training import Plan, sessions_of, stored
        from optiq.learn.direction.training import train as train_direction
        from optiq.market.store import Store
        from optiq.report.card import card_page

        training = Training(
            seeds=settings.direction_seeds, epochs=settings.direction_epochs, device="auto"
        )
        plan = Plan(training=training, lockbox=settings.lockbox)
        store, name = Store(tonight.store), settings.underlyings[0]
        dates, left = sessions_of(
            store, name, tonight.date, settings.direction_lookback, plan.lockbox
        )
        made = train_direction(
            store,
            tonight.models,
            name,
            stored(store, name, dates, plan, tonight.advance),
            plan,
            card_page,
            left,
            tonight.advance,
            now=tonight.now,
        )
        others = ", ".join(settings.underlyings[1:])
        silent = [f"A direction model speaks for one index: {name}, not {others}."]
        notes = [*made.measured.reasons, *(silent if others else [])]
        return {**_facts(made.version, made.card), "notes": notes}

    return train


def _policy(settings: EveningSettings) -> Trainer:
    def train(tonight: Tonight) -> Facts:
        from optiq.learn.evening.night import Skipped
        from optiq.learn.policy.episode_table import read_episodes
        from optiq.learn.policy.fit import Plan
        from optiq.learn.policy.training import counts_of, is_enough, to_learn
        from optiq.learn.policy.training import train as train_policy
        from optiq.report.card import card_page

        episodes = read_episodes(tonight.store, settings.underlyings, last=tonight.date)
        if not is_enough(episodes):
            raise Skipped(counts_of(episodes))
        plan = Plan(settings.policy_chooser, settings.policy_seeds, lockbox=settings.lockbox)
        table, locked = to_learn(episodes, plan.lockbox)
        made = train_policy(
            tonight.models,
            table,
            plan,
            locked=locked,
            render=card_page,
            advance=tonight.advance,
            now=tonight.now,
        )
        return {**_facts(made.version, made.card), "notes": list(made.evaluation.reasons)}

    return train


def _facts(version: str, card: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "version": version,
        "seen_until": card["seen_until"],
        "sessions": dict(card["sessions"]),
        "model": card["hashes"].get("model", ""),
        "data": card["hashes"]["data"],
    }
