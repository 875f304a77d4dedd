"""What a stored day is made of: the manifest beside the chain, and where it lies."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from optiq.errors import DamagedError

_IST = dt.timezone(dt.timedelta(hours=5, minutes=30), "IST")
"""Fixed, as it is all year; ``zoneinfo`` and numpy would slow the listing of a store."""

SpotSource = Literal["feed", "parity", "none"]


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """What one source gave to one day; ``rows_in = rows_kept + duplicates + quarantined``.

    ``origin`` is the folder, table or server it lay in: two sources are one and the same feed
    when their format is equal and one origin holds the other.
    """

    name: str
    sha256: str
    format: str
    origin: str
    rows_in: int = 0
    rows_kept: int = 0
    duplicates: int = 0
    quarantined: int = 0
    merged: bool = False


@dataclass(frozen=True, slots=True)
class SpotRecord:
    """Where the underlying's level came from and whether its clock is the options'.

    ``lead_s`` is by how many seconds it runs ahead of the parity forward (negative: behind);
    None where that could not be measured.
    """

    source: SpotSource = "feed"
    trusted: bool = True
    lead_s: float | None = None


@dataclass(frozen=True, slots=True)
class DayManifest:
    """One underlying on one session, as stored. Levels in rupees, ``atm_iv`` a fraction.

    ``first`` and ``last`` are UTC in ISO form; ``close`` and ``atm_iv`` are those of the last
    chain row and None where unknown; ``content_id`` is repeated in the footer of the chain file.
    """

    underlying: str
    date: dt.date
    rows: int
    snapshots: int
    contracts: int
    strikes: int
    expiries: tuple[str, ...]
    first: str
    last: str
    has_book: bool
    content_id: str
    close: float | None = None
    atm_iv: float | None = None
    spot: SpotRecord = field(default_factory=SpotRecord)
    sources: tuple[SourceEntry, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def first_ist(self) -> dt.datetime:
        """First moment, Indian time."""
        return dt.datetime.fromisoformat(self.first).astimezone(_IST)

    @property
    def last_ist(self) -> dt.datetime:
        """Last moment, Indian time."""
        return dt.datetime.fromisoformat(self.last).astimezone(_IST)

    @property
    def spot_words(self) -> str:
        """Where the level comes from, in a word or two."""
        if self.spot.trusted or self.spot.lead_s is None:
            return self.spot.source
        side = "ahead" if self.spot.lead_s > 0 else "behind"
        return f"feed, {abs(self.spot.lead_s):.0f} s {side}"

    def to_json(self) -> str:
        """Return the manifest as one JSON object."""
        return json.dumps(asdict(self) | {"date": self.date.isoformat()}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> DayManifest:
        """Read what ``to_json`` wrote."""
        values: dict[str, Any] = json.loads(text)
        values["date"] = dt.date.fromisoformat(values["date"])
        values["expiries"] = tuple(values["expiries"])
        values["spot"] = SpotRecord(**values["spot"])
        values["sources"] = tuple(SourceEntry(**entry) for entry in values["sources"])
        values["notes"] = tuple(values["notes"])
        return cls(**values)


@dataclass(frozen=True, slots=True)
class DayPlace:
    """Where one day lies in a store."""

    root: Path
    underlying: str
    date: dt.date

    @property
    def chain(self) -> Path:
        """The Parquet file of the quotes."""
        return self._folder("chain") / f"date={self.date}" / "part.parquet"

    @property
    def manifest(self) -> Path:
        """The manifest readers trust."""
        return self._folder("manifest") / f"date={self.date}.json"

    @property
    def intent(self) -> Path:
        """The manifest of a write under way: trusted once the chain file carries its id."""
        return self.manifest.with_suffix(".json.next")

    def _folder(self, kind: str) -> Path:
        return self.root / kind / f"underlying={self.underlying}"


def places(root: Path, underlying: str | None = None) -> Iterator[DayPlace]:
    """Yield every day that has a manifest or an intent, by underlying and date."""
    pattern = f"underlying={underlying or '*'}"
    for folder in sorted((root / "manifest").glob(pattern)):
        dates = {path.name.partition(".json")[0] for path in folder.glob("date=*.json*")}
        for name in sorted(dates):
            date = dt.date.fromisoformat(name.removeprefix("date="))
            yield DayPlace(root, folder.name.removeprefix("underlying="), date)


def listed(root: Path, underlying: str | None = None) -> list[DayManifest]:
    """Return the days of a store by their manifests alone.

    A day whose last write was cut short is left to the store, which looks into its file.
    """
    days = []
    for place in places(root, underlying):
        manifest = load(place.manifest)
        if place.intent.exists():
            from optiq.market.store import Store

            manifest = next(iter(Store(root).days_at([place])), None)
        if manifest is not None:
            days.append(manifest)
    return days


def load(path: Path) -> DayManifest | None:
    """Read one manifest file; None where there is none."""
    try:
        return DayManifest.from_json(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as reason:
        raise DamagedError(
            f"{path}: not a manifest ({reason})", "run `optiq data repair`, or ingest the day again"
        ) from reason
