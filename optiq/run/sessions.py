"""Paper sessions on disk: start or resume one, list them, and read one back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optiq.errors import DamagedError
from optiq.market.chain_row import ChainRow
from optiq.market.durable import durable_write
from optiq.run.asking import Scorer
from optiq.run.backtest import Settings
from optiq.run.choosing import Chooser
from optiq.run.day_in_progress import DayInProgress
from optiq.run.journal import NAME, Event, Journal, read_journal
from optiq.run.paper import FLATTENED, OVER, PaperSession
from optiq.run.plan import Plan
from optiq.run.seeing import Direction
from optiq.trade.strategies import Strategy

FOLDER = "sessions"
CONFIG = "config.toml"


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Who trades: settings, strategies with their parameters, and models and a chooser if any."""

    settings: Settings
    strategies: Sequence[Strategy]
    scorer: Scorer | None = None
    chooser: Chooser | None = None
    direction: Direction | None = None


def day_of(plan: Plan, ensemble: Ensemble) -> DayInProgress:
    """Return the plan's day before its first row."""
    return DayInProgress(
        plan.underlying,
        plan.date,
        plan.context,
        ensemble.strategies,
        ensemble.settings,
        has_book=plan.has_book,
        scorer=ensemble.scorer,
        chooser=ensemble.chooser,
        direction=ensemble.direction,
    )


@contextmanager
def opened(folder: Path, asked: Plan, ensemble: Ensemble) -> Iterator[PaperSession]:
    """Start a session, or resume it where its journal ends; it is recovered when this yields.

    A session that exists keeps the days before it as they were read when it started.
    """
    with Journal(folder) as journal:
        plan = asked
        if journal.events:
            plan = Plan.read(journal.events[0].told)
            plan.require_same(asked, folder.name)
        else:
            journal.append([Event.of("session", -1, plan.told())])
        durable_write(folder / CONFIG, plan.settings)
        yield PaperSession(journal, day_of(plan, ensemble))


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session read back from its journal, verified but not walked."""

    folder: Path
    plan: Plan
    events: tuple[Event, ...]

    @property
    def rows(self) -> list[ChainRow]:
        """The rows it saw."""
        return [ChainRow.from_bytes(event.body) for event in self.events if event.kind == "row"]

    @property
    def is_over(self) -> bool:
        """Whether it was finished."""
        return any(event.row == OVER for event in self.events)

    @property
    def _state(self) -> str:
        if any(event.kind == FLATTENED for event in self.events):
            return FLATTENED
        return "over" if self.is_over else "open"

    def summary(self) -> dict[str, Any]:
        """Return what a list of sessions shows."""
        counts = dict.fromkeys(("row", "entry", "exit", "fault"), 0)
        realised = 0
        for event in self.events:
            if event.kind in counts:
                counts[event.kind] += 1
            if event.kind == "exit":
                realised = int(event.told["realised_paise"])
        return {
            "session": self.folder.name,
            "underlying": self.plan.underlying,
            "date": self.plan.date,
            "feed": self.plan.feed,
            "rows": counts["row"],
            "entries": counts["entry"],
            "exits": counts["exit"],
            "faults": counts["fault"],
            "net_pnl": realised / 100,
            "state": self._state,
        }


def read_session(folder: Path) -> StoredSession:
    """Return a session; MissingDataError without one, DamagedError where it is not as written."""
    return _stored(folder, read_journal(folder))


def has_begun(folder: Path) -> bool:
    """Whether there is a session with at least its terms written down."""
    return (folder / NAME).is_file() and bool(read_journal(folder))


@dataclass(frozen=True, slots=True)
class DamagedSession:
    """A session that cannot be read, and why."""

    folder: Path
    error: DamagedError


def begun_sessions(store: Path) -> Iterator[StoredSession | DamagedSession]:
    """Yield the sessions of a store by name, but those that were stopped before they began."""
    for folder in session_folders(store):
        try:
            if events := read_journal(folder):
                yield _stored(folder, events)
        except DamagedError as error:
            yield DamagedSession(folder, error)


def _stored(folder: Path, events: tuple[Event, ...]) -> StoredSession:
    if not events or events[0].kind != "session":
        raise DamagedError(f"{folder / NAME} has no beginning", "remove it and start again")
    return StoredSession(folder, Plan.read(events[0].told), events)


def session_folders(store: Path) -> list[Path]:
    """Return the folders of all sessions of a store, by name."""
    return sorted(path.parent for path in (store / FOLDER).glob(f"*/{NAME}"))
