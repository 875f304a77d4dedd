"""Where a day in progress stands, read from the walk's own state and computed by nobody else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optiq.run.choosing import Decision
from optiq.run.day_in_progress import DayInProgress
from optiq.run.telling import contract_text
from optiq.trade.book import MICROSECONDS_PER_MINUTE, PAISE, Records, Stage, Status
from optiq.trade.exits import Reason
from optiq.trade.limits import free_capital
from optiq.trade.marking import day_profit
from optiq.trade.orders import MAX_LEGS


@dataclass(frozen=True, slots=True)
class Leg:
    """One contract of a package: +1 bought, -1 sold; units; rupees, NaN before fill or mark."""

    contract: str
    side: int
    ratio: int
    units: int
    entry: float
    mark: float


@dataclass(frozen=True, slots=True)
class Held:
    """A pending entry, or a position, as the walk last saw it.

    Attributes
    ----------
    gain, to_stop, to_target
        Fractions of the basis: made so far, left to the stop or trail, whichever is nearer, and
        left to the target; NaN where switched off.
    profit
        Rupees so far, before charges.
    minutes_left, leaves_by
        To the exit by time, and whether that is ``TIME`` or ``EOD``.
    reason
        Why it is leaving; empty while it is not.
    """

    strategy: str
    stage: Stage
    legs: tuple[Leg, ...]
    gain: float
    profit: float
    stop: float
    target: float
    to_stop: float
    to_target: float
    minutes_left: float
    leaves_by: str
    reason: str

    @property
    def entry(self) -> float:
        """Rupees paid for one unit of the package; below 0 is a credit."""
        return sum(leg.side * leg.ratio * leg.entry for leg in self.legs)

    @property
    def mark(self) -> float:
        """Rupees one unit of the package is worth now; NaN before each leg has a mark."""
        return sum(leg.side * leg.ratio * leg.mark for leg in self.legs)


@dataclass(frozen=True, slots=True)
class Money:
    """Rupees: before charges, the charges, and what is left."""

    gross: float
    charges: float

    @property
    def net(self) -> float:
        """What is left."""
        return self.gross - self.charges


@dataclass(frozen=True, slots=True)
class Standing:
    """A day so far.

    Attributes
    ----------
    last_ts
        Of the last row; NaT before the first.
    closed, still_open
        Money of positions that left, and of those that did not; these paid for their entry only.
    loss_counted
        Rupees of profit as ``limits.max_daily_loss`` counts them.
    free_capital
        Rupees; NaN without ``limits.capital``.
    refused
        Number of orders by what refused them, most first.
    """

    last_ts: np.datetime64
    rows: int
    chain_rows: int
    held: tuple[Held, ...]
    closed: Money
    still_open: Money
    accepted: int
    is_day_over: bool
    loss_counted: float
    free_capital: float
    refused: dict[str, int]
    decision: Decision | None

    @property
    def day(self) -> Money:
        """Money of the whole day so far."""
        a, b = self.closed, self.still_open
        return Money(a.gross + b.gross, a.charges + b.charges)


def standing_of(day: DayInProgress) -> Standing:
    """Return where a day stands after its last row."""
    rows, book = day.rows, day.book
    active = book.active[: int(book.day["n_active"][0])]
    closed = book.closed[: int(book.day["n_closed"][0])]
    charges = int(closed["charges_paise"].sum())
    gross = int(book.day["realised_paise"][0]) + charges
    return Standing(
        last_ts=rows.ts[rows.n_rows - 1] if rows.n_rows else np.datetime64("NaT"),
        rows=rows.n_rows,
        chain_rows=rows.n_chain_rows,
        held=tuple(_held(day, position) for position in active),
        closed=Money(gross / PAISE, charges / PAISE),
        still_open=Money(
            float(active["open_pnl"].sum()), int(active["charges_paise"].sum()) / PAISE
        ),
        accepted=int(book.day["accepted"][0]),
        is_day_over=bool(book.day["over"][0]),
        loss_counted=float(day_profit(book)),
        free_capital=float(free_capital(day.given, book)),
        refused=_refused(book.status[: day.n_orders]),
        decision=day.decisions[-1] if day.decisions else None,
    )


def held_now(day: DayInProgress) -> tuple[int, int]:
    """Return how many positions are open, leaving ones too, and how many entries are pending."""
    active = day.book.active[: int(day.book.day["n_active"][0])]
    pending = int((active["stage"] == Stage.PENDING).sum())
    return len(active) - pending, pending


def held_in_words(day: DayInProgress) -> str:
    """Say what a day holds and awaits, such as ``1 held, 2 entries pending``."""
    held, pending = held_now(day)
    awaited = f", {pending} {'entry' if pending == 1 else 'entries'} pending" if pending else ""
    return f"{held} held{awaited}"


def _held(day: DayInProgress, position: Records) -> Held:
    order, stage = day.orders[position["order"]], Stage(int(position["stage"]))
    is_pending = stage == Stage.PENDING
    minutes_left, leaves_by = _time_exit(day, position, order)
    gain, peak, trail = float(position["gain"]), float(position["peak"]), float(order["trail"])
    trails = peak >= order["trail_after"]  # false where it is off, as it is NaN then
    floor = np.fmax(-order["stop"], peak - trail if trails else np.nan)
    return Held(
        strategy=day.strategies[order["strategy"]].name,
        stage=stage,
        legs=tuple(_legs(day, position, order, is_pending=is_pending)),
        gain=np.nan if is_pending else gain,
        profit=np.nan if is_pending else float(position["open_pnl"]),
        stop=float(order["stop"]),
        target=float(order["target"]),
        to_stop=np.nan if is_pending else float(gain - floor),
        to_target=np.nan if is_pending else float(order["target"] - gain),
        minutes_left=minutes_left,
        leaves_by=leaves_by,
        reason=Reason(int(position["reason"])).name if stage == Stage.LEAVING else "",
    )


def _legs(day: DayInProgress, position: Records, order: Records, *, is_pending: bool) -> list[Leg]:
    return [
        Leg(
            contract=contract_text(day, int(order["legs"][k])),
            side=int(order["side"][k]),
            ratio=int(order["ratio"][k]),
            units=int(position["lots"] * order["ratio"][k])
            * int(day.rows.contracts.lot[order["legs"][k]]),
            entry=np.nan if is_pending else int(position["entry_paise"][k]) / PAISE,
            mark=float(position["mark"][k]),
        )
        for k in range(MAX_LEGS)
        if order["legs"][k] >= 0
    ]


def _time_exit(day: DayInProgress, position: Records, order: Records) -> tuple[float, str]:
    """Return the minutes from the last row to the exit by time, and which of the two it is."""
    terms, ts = day.given.terms[0], day.rows.ts.view(np.int64)
    now = int(ts[day.rows.n_rows - 1])
    closing = (int(terms["close_us"]) - int(terms["square_off_us"]) - now) / MICROSECONDS_PER_MINUTE
    if position["stage"] == Stage.PENDING:
        return np.nan, ""
    held = (now - int(ts[position["entry_row"]])) / MICROSECONDS_PER_MINUTE
    left = float(order["max_hold_minutes"]) - held
    return (left, "TIME") if left < closing else (max(closing, 0.0), "EOD")


def _refused(status: np.ndarray[tuple[int], np.dtype[np.int8]]) -> dict[str, int]:
    counts = np.bincount(status, minlength=max(Status) + 1)
    found = {s.name.lower(): int(counts[s]) for s in Status if s > Status.FILLED and counts[s]}
    return dict(sorted(found.items(), key=lambda item: -item[1]))
