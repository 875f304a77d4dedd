"""What a person or a program sees: one JSON object, or tables; progress; warnings."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import PurePath
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from optiq.compiled import nothing_is_compiled_yet
from optiq.report.money import grouped

PIPED_WIDTH = 100
"""Columns of a table that goes into a file or a pipe, where no terminal says how wide it is."""

Show = Callable[[Console], None]
Advance = Callable[[int], None]


def emit(result: Mapping[str, Any], *, as_json: bool, show: Show) -> None:
    """Write the result of a command: ``{"ok": true, ...}`` as one JSON object, or ``show``.

    Dates become ISO text (UTC times end in Z), NaN, NaT and infinities null, numpy values plain
    numbers and lists.
    """
    if as_json:
        write_json({"ok": True, **result})
    else:
        show(console())


def write_json(thing: Mapping[str, Any]) -> None:
    """Write one JSON object and a line end to stdout."""
    sys.stdout.write(json.dumps(plain(thing), ensure_ascii=False, allow_nan=False) + "\n")
    sys.stdout.flush()


def console() -> Console:
    """Return the console for stdout; ``COLUMNS`` or the terminal says how wide it is."""
    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if known else PIPED_WIDTH, highlight=False, emoji=False)


def table(title: str, *headings: str) -> Table:
    """Return an empty table; a heading that starts with ``>`` makes a right-aligned column."""
    rows = Table(title=title or None, box=SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for heading in headings:
        number = heading.startswith(">")
        rows.add_column(heading.removeprefix(">"), justify="right" if number else "left")
    return rows


def warn(text: str) -> None:
    """Write one warning line to stderr."""
    Console(stderr=True, highlight=False, soft_wrap=True, emoji=False).print(
        f"optiq: warning: {text}", style="yellow", markup=False
    )


@contextmanager
def progress(
    label: str, *, total: float | None = None, unit: str = "rows", quiet: bool = False
) -> Iterator[Advance]:
    """Show a progress bar with a rate and the time left, and give the function that moves it.

    Only on a terminal's stderr and unless ``quiet``; otherwise the function does nothing.
    ``total=None`` is a job of unknown length.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich import progress as bars

    class Rate(bars.ProgressColumn):
        """Units done per second."""

        def render(self, task: bars.Task) -> Text:
            return Text(f"{grouped(round(task.speed or 0))} {unit}/s", style="progress.data.speed")

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.TaskProgressColumn(),
        Rate(),
        bars.TimeRemainingColumn(),
    )
    screen = Console(stderr=True)
    if nothing_is_compiled_yet():
        screen.print("[dim]First run of this version: compiling takes up to a minute.[/dim]")
    with bars.Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda amount: bar.update(task, advance=amount)


def plain(value: Any) -> Any:
    """Return ``value`` as what JSON can hold; unknown things become their text."""
    if value is None or (isinstance(value, str | bool | int) and not isinstance(value, enum.Enum)):
        return value
    if isinstance(value, float | Decimal):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, dt.date | dt.time):
        return _iso(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if hasattr(value, "dtype"):
        return _plain_numpy(value)
    if isinstance(value, list | tuple | set | frozenset | range):
        return [plain(item) for item in (sorted(value) if isinstance(value, set) else value)]
    return str(value.as_posix() if isinstance(value, PurePath) else value)


def _iso(moment: dt.date | dt.time) -> str | None:
    if moment != moment:  # pandas.NaT calls itself a datetime
        return None
    text = moment.isoformat()
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def _plain_numpy(value: Any) -> Any:
    """Return a numpy scalar or array as plain values, recognised without importing numpy."""
    if getattr(value, "ndim", 0):
        return [plain(item) for item in value]
    if value.dtype.kind == "M":
        text = str(value)
        return None if text == "NaT" else text + "Z" * ("T" in text)
    if value.dtype.kind == "m":
        text = str(value / type(value)(1, "s"))
        return None if text == "nan" else float(text)
    return plain(value.item())
