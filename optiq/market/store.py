"""The recorded chains on disk: one Parquet file and one manifest an underlying and session."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from optiq.errors import DamagedError, MissingDataError
from optiq.market import chain_file
from optiq.market.context import Context
from optiq.market.day_arrays import Columns, sort_order, take
from optiq.market.day_summary import summarise
from optiq.market.durable import (
    durable_step,
    durable_write,
    held,
    make_folder,
    storage_error,
    sync_folder,
)
from optiq.market.manifest import DayManifest, DayPlace, SourceEntry, SpotRecord, load, places
from optiq.market.panel import Panel
from optiq.market.schema import PRICES, AnyArray, FloatArray
from optiq.market.stored_panel import panel_from_file

_LEFTOVERS = ("chain/*/*/.part.*.tmp", "manifest/*/.*.tmp", "quarantine/*/*/*.tmp")
"""What a killed writer leaves half written; no reader looks at it."""


class Store:
    """A folder of recorded days. Writing takes the store's lock; reading takes none.

    A write is durable step by step: chain file under a temporary name, the manifest to come
    (``.json.next``), chain file renamed, manifest renamed. The chain file's footer names its
    content, so a reader always knows which of two manifests speaks of it.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def days(self, underlying: str | None = None) -> list[DayManifest]:
        """Return what is stored, by underlying and date."""
        return self.days_at(places(self.root, underlying))

    def days_at(self, where: Iterable[DayPlace]) -> list[DayManifest]:
        """Return the manifests to trust at some places; a place without a day is left out."""
        found = (self._trusted_if_any(place) for place in where)
        return [manifest for manifest in found if manifest is not None]

    def underlyings(self) -> list[str]:
        """Return the underlyings with at least one day."""
        return sorted({place.underlying for place in places(self.root)})

    def manifest(self, underlying: str, date: dt.date) -> DayManifest:
        """Return one day's manifest; MissingDataError where the day is not stored."""
        found = self._trusted_if_any(self.place(underlying, date))
        if found is None:
            raise self._missing(underlying, date)
        return found

    def has_day(self, underlying: str, date: dt.date) -> bool:
        """Whether the day is stored."""
        return self._trusted_if_any(self.place(underlying, date)) is not None

    def read_panel(
        self,
        underlying: str,
        date: dt.date,
        fields: Iterable[str] = PRICES,
        *,
        as_fed: bool = False,
    ) -> Panel:
        """Return one day as a panel; ``fields`` are read now, all others when asked for.

        A spot that runs ahead of its options or behind them is replaced by the nearest expiry's
        forward, and a note says so; ``as_fed`` leaves it.
        """
        file, manifest = self._open(underlying, date)
        panel = panel_from_file(
            underlying, date, file, fields, has_book=manifest.has_book, notes=manifest.notes
        )
        return panel if as_fed or manifest.spot.trusted else _on_the_forward(panel, manifest.spot)

    def read_columns(self, underlying: str, date: dt.date) -> Columns:
        """Return one day's columns as stored, sorted by contract and time."""
        return self._open(underlying, date)[0].read_all()

    def context(self, underlying: str, date: dt.date) -> Context:
        """Return what the stored days before ``date`` say."""
        return context_of(self.days(underlying)).before(date)

    def write_day(
        self,
        underlying: str,
        date: dt.date,
        columns: Mapping[str, AnyArray],
        *,
        sources: Iterable[SourceEntry],
        spot: SpotRecord | None = None,
        notes: Iterable[str] = (),
    ) -> DayManifest:
        """Store one day in place of what was there, and return its manifest.

        ``columns`` are the store's, priced already; their order is put right here. The caller
        holds ``lock``.
        """
        order = sort_order(columns)
        columns = dict(columns) if order is None else take(columns, order)
        manifest = replace(
            summarise(underlying, date, columns, spot or SpotRecord()),
            content_id=chain_file.content_id(underlying, date, columns),
            sources=tuple(sources),
            notes=tuple(dict.fromkeys(notes)),
        )
        _commit(self.place(underlying, date), columns, manifest)
        return manifest

    def remanifest(self, manifest: DayManifest) -> None:
        """Replace a day's manifest and leave its quotes alone."""
        place = self.place(manifest.underlying, manifest.date)
        durable_write(place.manifest, manifest.to_json())

    def place(self, underlying: str, date: dt.date) -> DayPlace:
        """Return where a day lies."""
        return DayPlace(self.root, underlying, date)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the store for writing; BusyError when another process does."""
        make_folder(self.root)
        busy = f"{self.root}: another process is writing to this store"
        with held(self.root / ".lock", busy, "wait for it to end, or give another --store"):
            yield

    def finish_interrupted(self) -> list[DayPlace]:
        """Complete or clear what a killed writer left; the caller holds ``lock``."""
        touched = [place for place in places(self.root) if place.intent.exists()]
        for place in touched:
            _settle(place)
        for pattern in _LEFTOVERS:
            for leftover in self.root.glob(pattern):
                leftover.unlink()
        return touched

    def _open(self, underlying: str, date: dt.date) -> tuple[chain_file.ChainFile, DayManifest]:
        place = self.place(underlying, date)
        file = chain_file.open_chain(place.chain)
        if file is None:
            raise self._missing(underlying, date)
        # Again at last: a writer may have renamed the one to the other between the two looks.
        for candidate in (place.manifest, place.intent, place.manifest):
            manifest = load(candidate)
            if manifest is not None and manifest.content_id == file.content_id:
                return file, manifest
        raise DamagedError(
            f"{place.chain}: no manifest speaks of this file",
            "run `optiq data repair`, or delete the day's folder and ingest its source again",
        )

    def _trusted_if_any(self, place: DayPlace) -> DayManifest | None:
        if not place.chain.is_file():  # its folder was taken away: the day can be ingested anew
            return None
        settled = load(place.manifest)
        intended = load(place.intent)
        if intended is None:
            return settled
        file = chain_file.open_chain(place.chain)
        return intended if file and file.content_id == intended.content_id else settled

    def _missing(self, underlying: str, date: dt.date) -> MissingDataError:
        return MissingDataError(
            f"{self.root}: no {underlying} quotes of {date}",
            "see `optiq data ls`, or add them with `optiq ingest`",
        )


def _on_the_forward(panel: Panel, spot: SpotRecord) -> Panel:
    """Return the panel with the nearest expiry's forward for its level, saying so."""
    lead = spot.lead_s or 0.0
    direction = "ahead of" if lead > 0 else "behind"
    note = (
        f"the feed's spot runs {abs(lead):.0f} s {direction} its options: "
        "the nearest expiry's parity forward stands in for it"
    )
    level = panel.forward_by_expiry[:, 0]
    moved = replace(panel, spot=level, notes=(*panel.notes, note))
    moved.__dict__["forward_by_expiry"] = panel.forward_by_expiry
    return moved


def _commit(place: DayPlace, columns: Columns, manifest: DayManifest) -> None:
    make_folder(place.chain.parent)
    part = place.chain.parent / f".part.{manifest.content_id}.tmp"
    try:
        chain_file.write(part, columns, manifest.content_id)
        _step("part")
        durable_write(place.intent, manifest.to_json())
        _step("intent")
        part.replace(place.chain)
        sync_folder(place.chain.parent)
        _step("chain")
        place.intent.replace(place.manifest)
        sync_folder(place.manifest.parent)
    except OSError as reason:
        raise storage_error(place.chain, reason) from reason


def _settle(place: DayPlace) -> None:
    intended = load(place.intent)
    file = chain_file.open_chain(place.chain)
    if intended is not None and file is not None and file.content_id == intended.content_id:
        place.intent.replace(place.manifest)
    else:
        place.intent.unlink()
    sync_folder(place.manifest.parent)


def _step(name: str) -> None:
    """Die here when a test asks for it: the order of the durable steps is a promise."""
    if os.environ.get("OPTIQ_TEST_DIE_AFTER") == name:
        os.kill(os.getpid(), 9)
    durable_step()


def context_of(days: Sequence[DayManifest]) -> Context:
    """Return what the days of one underlying say, oldest first."""
    return Context(
        sessions=np.array([day.date for day in days], "datetime64[D]"),
        closes=_floats(day.close for day in days),
        atm_iv=_floats(day.atm_iv for day in days),
    )


def _floats(values: Iterable[float | None]) -> FloatArray:
    return np.array([np.nan if value is None else value for value in values], np.float64)
