"""How far the choice at random has come toward what training a policy needs."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from optiq.run.episodes import ENOUGH_EPISODES, ENOUGH_SESSIONS, FOLDER


@dataclass(frozen=True, slots=True)
class Progress:
    """Episodes and sessions that are logged, toward 1,000 and 60."""

    episodes: int
    sessions: int

    @property
    def share(self) -> float:
        """Return how much is there of whichever lags behind, 0 to 1."""
        return min(self.episodes / ENOUGH_EPISODES, self.sessions / ENOUGH_SESSIONS, 1.0)

    @property
    def is_enough(self) -> bool:
        """Whether a policy can be trained."""
        return self.episodes >= ENOUGH_EPISODES and self.sessions >= ENOUGH_SESSIONS

    @property
    def words(self) -> str:
        """Return it as ``812 of 1,000 episodes, 41 of 60 sessions``."""
        return (
            f"{self.episodes:,} of {ENOUGH_EPISODES:,} episodes, "
            f"{self.sessions:,} of {ENOUGH_SESSIONS:,} sessions"
        )

    def with_today(self, decisions: int) -> Progress:
        """Return it with a session in progress and its decisions so far."""
        return Progress(self.episodes + decisions, self.sessions + (decisions > 0))


def progress_of(root: Path, underlying: str, *, without: dt.date | None = None) -> Progress:
    """Return how many episodes of an underlying a store has, ``without`` those of one session."""
    import pyarrow.parquet as pq

    folder = root / FOLDER / f"underlying={underlying}"
    files = [f for f in folder.glob("date=*/part.parquet") if f.parent.name != f"date={without}"]
    return Progress(sum(pq.read_metadata(file).num_rows for file in files), len(files))
