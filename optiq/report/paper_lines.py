"""A paper session as plain lines, or as one JSON object a line."""

from __future__ import annotations

import json
import sys
from typing import Any

from optiq.market.calendar import time_of_day
from optiq.market.chain_row import ChainRow
from optiq.report.money import rupees
from optiq.report.tables import about_policy, about_scorer
from optiq.run.choices import ASIDE
from optiq.run.choosing import MODEL
from optiq.run.day_in_progress import Step
from optiq.run.journal import Event
from optiq.run.paper import Fault, PaperSession
from optiq.run.standing import held_in_words, held_now
from optiq.run.stored import told_of
from optiq.run.telling import events_of

TOLD = ("chosen", "entry", "leaving", "exit", "ended")
"""The events of the walk that are lines."""


class PaperLines:
    """Writes what happens, and nothing while nothing does; every line was committed before."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._session: PaperSession | None = None

    def begin(self, session: PaperSession) -> None:
        """Say what is resumed."""
        self._session = session
        day, dates = session.day, [session.day.rows.date]
        told = told_of(day.scorer, dates)
        for line in about_scorer(told):
            self._write({"event": "scorer", **(told or {})}, line)
        chosen = told_of(day.chooser and day.chooser.policy, dates)
        for line in about_policy(chosen):
            self._write({"event": "policy", **(chosen or {})}, line)
        if rows := session.day.rows.n_rows:
            self._write({"event": "resumed", "rows": rows}, f"resumed after {rows} rows")
        if by := session.flattened_by:
            told = {"event": "flattened", "by": by}
            self._write(told, f"over: flattened by {by}; another --session trades on")

    def row(self, row: ChainRow, step: Step) -> None:
        """Tell of a row's choice, exits and entries."""
        self._tell(step, time_of_day(row.ts))

    def fault(self, fault: Fault) -> None:
        """Tell of a poll that failed."""
        told = {"event": "fault", "kind": fault.kind, "message": fault.message}
        self._write(told, f"fault: {fault.kind}: {fault.message}")

    def waiting(self) -> None:
        """Nothing came: nothing is said."""

    def ended(self, step: Step) -> None:
        """Tell of what left at the end."""
        assert self._session is not None
        if by := self._session.flattened_by:
            self._write({"event": "flattened", "by": by}, f"flattened by {by}")
        self._tell(step, "end     ")

    def stopped(self, by: str) -> None:
        """Tell where it was stopped, and what is held there."""
        assert self._session is not None
        day, over = self._session.day, self._session.is_over
        held, pending = held_now(day)
        told = {"event": "stopped", "by": by, "rows": day.rows.n_rows, "held": held}
        told |= {"pending": pending, "over": over}
        self._write(told, parting(self._session, by))

    def _tell(self, step: Step, when: str) -> None:
        assert self._session is not None
        for event in events_of(self._session.day, step):
            if event.kind in TOLD:
                told = {"event": event.kind, "time": when.strip(), "row": step.row, **event.told}
                self._write(told, f"{when} {sentence(event, self._policy())}")

    def _policy(self) -> str:
        """Return who chooses today; empty where all trade."""
        assert self._session is not None
        day = self._session.day
        chooser, rows = day.chooser, day.rows
        return chooser.on(rows.underlying, rows.date).who if chooser else ""

    def _write(self, told: dict[str, Any], line: str) -> None:
        text = json.dumps(told, ensure_ascii=False) if self._as_json else line
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


def parting(session: PaperSession, by: str) -> str:
    """Say where a session was stopped, and whether it can go on."""
    held = held_in_words(session.day)
    goes_on = "it is over" if session.is_over else f"{held}; the same command goes on"
    return f"stopped by {by} after {session.day.rows.n_rows} rows, {goes_on}"


def choice_words(told: dict[str, Any], policy: str = "") -> str:
    """Return a choice in words: whom, how sure, and out of how many."""
    chances, name = told["propensity"], told["chosen"]
    chance = 1.0 - sum(chances.values()) if name == ASIDE else chances[name]
    who = "to stand aside" if name == ASIDE else name
    said = f" ({chance:.1%})"
    if policy.startswith(MODEL):
        said = "" if name == ASIDE else f" {told['preferences'][name]:+.3f}"
    return f"{who}{said}, {len(told['possible'])} of {len(chances)} possible"


def sentence(event: Event, policy: str = "") -> str:
    """Return an event of the walk in words; ``policy`` is who chose."""
    told = event.told
    if event.kind == "chosen":
        return f"chosen   {choice_words(told, policy)}"
    name = f"{told['strategy']} {told['contract']}"
    if event.kind == "entry":
        return f"entry    {name} {_prices(told)}"
    if event.kind == "leaving":
        gain = "" if told["gain"] is None else f" at {told['gain']:+.1%}"
        return f"leaving  {name} {told['reason']}{gain}"
    if event.kind == "exit":
        stale = " (stale)" if told["stale"] else ""
        day = rupees(told["realised_paise"] / 100)
        return f"exit     {name} {_prices(told)} {told['reason']}{stale}, day {day}"
    return f"{told['status']:8} {name}"


def _prices(told: dict[str, Any]) -> str:
    return ", ".join(f"{leg['quantity']} at {leg['paise'] / 100:.2f}" for leg in told["legs"])
