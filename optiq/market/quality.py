"""Is a stored day what it seems: the level's clock, the book, the last prices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optiq.market.day_view import holes, median_gap
from optiq.market.manifest import DayManifest
from optiq.market.panel import Panel
from optiq.market.schema import FloatArray
from optiq.market.store import Store

_MOST_ROWS = 5
"""How many rows of lead or lag are tried."""
_LEAST_CHANGES = 30
_CLEARLY_BETTER = 0.10
_WORTH_MEASURING = 0.30
_WORTH_SAYING = 0.05


@dataclass(frozen=True, slots=True)
class SpotLead:
    """How far the feed's spot runs ahead of the parity forward.

    ``rows`` and ``seconds`` are positive where spot leads; None where it cannot be measured.
    ``correlation`` of their changes at that shift, ``together`` without a shift.
    """

    rows: int | None = None
    seconds: float | None = None
    correlation: float = np.nan
    together: float = np.nan

    @property
    def is_clear(self) -> bool:
        """Whether the shift explains materially more than no shift."""
        return bool(self.rows) and self.correlation >= self.together + _CLEARLY_BETTER


def spot_lead(panel: Panel) -> SpotLead:
    """Measure by which shift the changes of spot and of the nearest forward agree best.

    >>> SpotLead(1, 60.0, 0.93, 0.21).is_clear
    True
    """
    chain = panel.is_chain
    spot = np.diff(panel.spot[chain])
    forward = np.diff(panel.forward_by_expiry[chain, 0])
    if len(spot) < _LEAST_CHANGES:
        return SpotLead()
    shifts = range(-_MOST_ROWS, _MOST_ROWS + 1)
    by_shift = {shift: _correlation(spot, forward, shift) for shift in shifts}
    together = by_shift[0]
    known = {shift: value for shift, value in by_shift.items() if np.isfinite(value)}
    if not np.isfinite(together) or max(known.values()) < _WORTH_MEASURING:
        return SpotLead()
    best = max(known, key=lambda shift: (known[shift], -abs(shift)))
    return SpotLead(best, best * median_gap(panel.ts[chain]), known[best], together)


def check_day(store: Store, day: DayManifest) -> list[tuple[str, str]]:
    """Return what is odd about a stored day: a word for programs and a line for people."""
    panel = store.read_panel(day.underlying, day.date, as_fed=True)
    lines = [
        ("spot_lead", _spot_words(panel, day)),
        ("crossed", _crossed_words(panel)),
        ("stale_ltp", _stale_words(panel)),
        ("jumps", _jump_words(panel)),
        ("holes", _hole_words(panel)),
        ("merged", "; ".join(note for note in day.notes if note.startswith("merged"))),
    ]
    return [(what, text) for what, text in lines if text]


def crossed_books(panel: Panel) -> int:
    """Count quotes whose ask is below their bid."""
    return int((panel.ask < panel.bid).sum()) if panel.has_book else 0


def ltp_outside_book(panel: Panel, tolerance: float = 0.01) -> tuple[int, int]:
    """Count last prices beyond the book by more than ``tolerance``, and all two-sided quotes."""
    if not panel.has_book:
        return 0, 0
    two_sided = (panel.ask >= panel.bid) & ~np.isnan(panel.ltp)
    outside = (panel.ltp < panel.bid * (1 - tolerance)) | (panel.ltp > panel.ask * (1 + tolerance))
    return int((two_sided & outside).sum()), int(two_sided.sum())


def one_row_jumps(ltp: FloatArray, size: float = 0.08, least_price: float = 5.0) -> int:
    """Count last prices that leave their neighbours by over ``size`` and are back a row later.

    Such prints trigger stops and targets that no one could have traded. Prices under
    ``least_price`` rupees are left out: there one tick is a large share.

    >>> one_row_jumps(np.array([[100.0], [112.0], [101.0], [102.0], [115.0]]))
    1
    """
    before, price, after = ltp[:-2], ltp[1:-1], ltp[2:]
    left = np.abs(price / before - 1) > size
    back = np.abs(after / before - 1) < size / 4
    return int((left & back & (before >= least_price)).sum())


def _spot_words(panel: Panel, day: DayManifest) -> str:
    if day.spot.source != "feed":
        return f"no spot in the source; its level is from {day.spot.source}"
    lead = spot_lead(panel)
    if not lead.is_clear:
        return ""
    side = "ahead of" if (lead.seconds or 0) > 0 else "behind"
    return (
        f"spot runs {abs(lead.seconds or 0):.0f} s {side} the options' forward (correlation of "
        f"changes {lead.correlation:.2f} there, {lead.together:.2f} without the shift): "
        "trading on it is trading on the future; panels use the forward instead"
    )


def _crossed_words(panel: Panel) -> str:
    crossed = crossed_books(panel)
    return f"{crossed:,} quotes with the ask below the bid" if crossed else ""


def _stale_words(panel: Panel) -> str:
    outside, quoted = ltp_outside_book(panel)
    if not quoted or outside < _WORTH_SAYING * quoted:
        return ""
    return f"{outside / quoted:.0%} of last prices lie over 1 % outside their book: stale"


def _jump_words(panel: Panel) -> str:
    jumps = one_row_jumps(panel.ltp[panel.is_chain])
    return f"{jumps:,} last prices jump over 8 % and are back a row later" if jumps else ""


def _hole_words(panel: Panel) -> str:
    found = holes(panel.ts[panel.is_chain])
    return f"holes: {'; '.join(hole.words for hole in found)}" if found else ""


def _correlation(spot: FloatArray, forward: FloatArray, shift: int) -> float:
    """Correlate spot's changes with the forward's ``shift`` rows later."""
    if shift >= 0:
        earlier, later = spot[: len(spot) - shift], forward[shift:]
    else:
        earlier, later = spot[-shift:], forward[:shift]
    both = np.isfinite(earlier) & np.isfinite(later)
    if both.sum() < _LEAST_CHANGES:
        return np.nan
    one, other = earlier[both], later[both]
    if one.std() == 0 or other.std() == 0:
        return np.nan
    return float(np.corrcoef(one, other)[0, 1])
