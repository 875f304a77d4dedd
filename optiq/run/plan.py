"""What a paper session was started with; its first event, and what a restart must repeat."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from optiq.errors import InputError
from optiq.market.context import Context


@dataclass(frozen=True, slots=True)
class Plan:
    """A session's terms.

    Attributes
    ----------
    underlying, date, feed, has_book
        What is traded, on which day, by whose quotes, and whether these have a book at all.
    settings
        The resolved settings as TOML, strategies included.
    strategies
        Their names, in order.
    policy, seed
        Who chooses among them, and the seed of its draws.
    scorer
        The version of the scorer, empty without one.
    direction
        The version of the direction model, empty without one.
    manifests
        Of each of these versions the SHA-256 of its manifest, by kind; empty in sessions that were
        begun before it was written down.
    """

    underlying: str
    date: dt.date
    feed: str
    has_book: bool
    settings: str
    strategies: tuple[str, ...]
    policy: str = ""
    seed: int = 0
    scorer: str = ""
    direction: str = ""
    manifests: Mapping[str, str] = field(default_factory=dict)
    context: Context = field(default_factory=Context)

    def told(self) -> dict[str, Any]:
        """Return the plan as JSON holds it; the context's NaN become null."""
        plain = {name: getattr(self, name) for name in _PLAIN}
        days = {
            "sessions": [str(day) for day in self.context.sessions],
            "closes": _nullable(self.context.closes),
            "atm_iv": _nullable(self.context.atm_iv),
        }
        lists = {"strategies": list(self.strategies), "manifests": dict(self.manifests)}
        return {**plain, "date": str(self.date), **lists, **days}

    @classmethod
    def read(cls, told: dict[str, Any]) -> Plan:
        """Return the plan that `told` wrote."""
        context = Context(
            sessions=np.array(told["sessions"], "datetime64[D]"),
            closes=np.array(told["closes"], np.float64),
            atm_iv=np.array(told["atm_iv"], np.float64),
        )
        plain = {name: told[name] for name in _PLAIN if name in told}
        return cls(
            date=dt.date.fromisoformat(told["date"]),
            strategies=tuple(told["strategies"]),
            manifests=told.get("manifests", {}),
            context=context,
            **plain,
        )

    def require_same(self, asked: Plan, session: str) -> None:
        """Refuse to go on under other terms; the days before were read at the first start."""
        for name in (*_PLAIN, "date", "strategies"):
            if getattr(self, name) != getattr(asked, name):
                raise started_with_another(name, session)
        for kind, manifest in self.manifests.items():
            if asked.manifests.get(kind) != manifest:
                raise started_with_another(kind, session)


def started_with_another(term: str, session: str) -> InputError:
    """Return what is said to who would go on with a session under another term."""
    return InputError(
        f"session {session} was started with another {term.replace('_', ' ')}",
        "give another --session, or start it as before",
    )


_PLAIN = ("underlying", "feed", "has_book", "settings", "policy", "seed", "scorer", "direction")


def _nullable(values: np.ndarray[Any, Any]) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]
