"""Policies for tests of what serves them: ridge and trees fitted on the episodes of a store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from small_models import card

from optiq.cli.app import main
from optiq.learn import registry
from optiq.learn.policy.bundle import KIND, About, Fitted, bundle_of
from optiq.learn.policy.choosers import RIDGE, SAC, Ridge, Single, Trees
from optiq.learn.policy.episode_table import OBSERVED, read_episodes


def fitted_on(store: Path) -> tuple[Fitted, About]:
    """What the episodes of a store's days teach, too keenly, so that many decisions trade."""
    assert main(["episodes", "build", "--store", str(store), "--json"]) == 0
    table = read_episodes(store, ["NIFTY"])
    ridge = Ridge.fitted(table)
    ridge = replace(ridge, intercept=ridge.intercept + 0.1, weights=8 * ridge.weights)
    fitted = Fitted(ridge, Trees.fitted(table), Single.best(table))
    return fitted, About.of(table, ridge)


def files_of(fitted: Fitted, about: About, chooser: str = RIDGE) -> dict[str, bytes]:
    """The files of a version in which one of them speaks."""
    return bundle_of(chooser, fitted, about)


def remembering(fitted: Fitted, about: About, seed: int = 0) -> dict[str, bytes]:
    """The files of an actor, drawn and not trained, that is shown whom it chose last."""
    import torch

    draws = torch.Generator().manual_seed(seed)
    width, n = len(about.observed), len(about.strategies)
    state = {
        "latent_pi.0.weight": torch.randn(16, width + n + 1, generator=draws) / 3,
        "latent_pi.0.bias": torch.zeros(16),
        "mu.weight": torch.randn(n, 16, generator=draws) / 3,
        "mu.bias": torch.zeros(n),
    }
    return bundle_of(SAC, replace(fitted, states=(state,)), replace(about, switching_cost=0.1))


def saved(models: Path, files: dict[str, bytes], seen: str) -> str:
    """Store a version that has seen sessions up to a day, and return it."""
    return registry.save(models, KIND, files, card(seen, OBSERVED), reuse=False)
