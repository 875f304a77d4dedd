"""The first row of which two panels of one day make something say two things."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optiq.errors import LookAheadError
from optiq.market.day_view import ist
from optiq.market.panel import Panel
from optiq.run.said import Said

HINT = (
    "a rule may use a row and what came before it: not later rows, not the panel's length or its "
    "columns, no older rows than lookback_minutes allows, nothing kept from another call, no chance"
)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The first row of which a subject said two things.

    ``then`` is what it said on the panel named by ``where``, ``whole`` on the whole day;
    ``contract`` is empty for what is said of a row as a whole.
    """

    subject: str
    underlying: str
    date: str
    row: int
    time: str
    contract: str
    where: str
    then: str
    whole: str

    @property
    def message(self) -> str:
        """Return the one line that says it all."""
        about = f"row {self.row} ({self.time} IST)"
        about += f", {self.contract}" if self.contract else ""
        return (
            f"{self.subject} contradicts itself on {self.underlying} {self.date}, {about}: "
            f"on the day {self.where} it says {self.then}, on the whole day {self.whole}"
        )


def look_ahead(mismatch: Mismatch) -> LookAheadError:
    """Return the error of a mismatch."""
    return LookAheadError(mismatch.message, HINT)


def compare(
    name: str, panel: Panel, n_rows: int, where: str, then: Said, whole: Said
) -> Mismatch | None:
    """Return the first difference in what is said of rows before ``n_rows``; None without one."""
    n_then, n_whole = (int(np.searchsorted(said.row, n_rows)) for said in (then, whole))
    n_both = min(n_then, n_whole)
    same = whole.same_as(then, n_both)
    at = n_both if same.all() else int(same.argmin())
    if at == n_then == n_whole:
        return None
    speaker, told_then, told_whole = _told(then, whole, at, n_then, n_whole)
    row = int(speaker.row[at])
    return Mismatch(
        subject=name,
        underlying=panel.underlying,
        date=panel.date.isoformat(),
        row=row,
        time=f"{ist(panel.ts[row]):%H:%M:%S}",
        contract=speaker.about(at),
        where=where,
        then=told_then,
        whole=told_whole,
    )


def _place(said: Said, at: int, n: int) -> tuple[float, int]:
    """Return what statements are ordered by; past the end, after everything."""
    return (int(said.row[at]), int(said.first_contract()[at])) if at < n else (np.inf, 0)


def _told(then: Said, whole: Said, at: int, n_then: int, n_whole: int) -> tuple[Said, str, str]:
    """Return whose statement comes first in the day, and what both say there."""
    then_place, whole_place = _place(then, at, n_then), _place(whole, at, n_whole)
    if then_place < whole_place:
        return then, then.spoken(at), "nothing"
    if whole_place < then_place:
        return whole, "nothing", whole.spoken(at)
    if (then.contracts[at] == whole.contracts[at]).all():
        return whole, then.spoken(at, whole.values[at]), whole.spoken(at, then.values[at])
    one, other = (f"{said.spoken(at)} of {said.about(at)}" for said in (then, whole))
    return whole, one, other
