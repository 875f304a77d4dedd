"""What a person or a program sees: one JSON object or a table, progress, warnings."""

from __future__ import annotations

import datetime as dt
import enum
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from optiq.cli.output import emit, plain, progress, table, warn
from optiq.report.money import grouped


class Colour(enum.Enum):
    RED = "red"


@dataclass(frozen=True)
class Point:
    x: float
    when: dt.date


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), None),
        (float("inf"), None),
        (np.float32("nan"), None),
        (np.float64(1.5), 1.5),
        (np.int64(7), 7),
        (np.bool_(True), True),
        (True, True),
        (Decimal("12.35"), 12.35),
        (dt.date(2026, 8, 3), "2026-08-03"),
        (dt.datetime(2026, 8, 3, 9, 15, tzinfo=dt.UTC), "2026-08-03T09:15:00Z"),
        (pd.Timestamp("2026-08-03T09:15", tz="Asia/Kolkata"), "2026-08-03T09:15:00+05:30"),
        (pd.NaT, None),
        (np.datetime64("2026-08-03"), "2026-08-03"),
        (np.datetime64("2026-08-03T09:15:00.250000", "us"), "2026-08-03T09:15:00.250000Z"),
        (np.datetime64("NaT"), None),
        (np.timedelta64(90, "s"), 90.0),
        (np.timedelta64("NaT", "us"), None),
        (np.array([1.0, np.nan]), [1.0, None]),
        (np.array(["2026-08-03"], "datetime64[D]"), ["2026-08-03"]),
        (np.str_("NIFTY"), "NIFTY"),
        (Path("a/b"), "a/b"),
        (Colour.RED, "red"),
        (Point(1.0, dt.date(2026, 8, 3)), {"x": 1.0, "when": "2026-08-03"}),
        ({dt.date(2026, 8, 3): (1, {2})}, {"2026-08-03": [1, [2]]}),
        (None, None),
    ],
)
def test_anything_becomes_json(value: Any, expected: Any) -> None:
    assert plain(value) == expected
    json.dumps(plain(value), allow_nan=False)


def test_a_result_is_one_object_or_a_show(capsys: pytest.CaptureFixture[str]) -> None:
    def show(screen: Console) -> None:
        rows = table("Days", "date", ">rows")
        rows.add_row("2026-08-03", grouped(123456))
        screen.print(rows)

    emit({"rows": 123456}, as_json=True, show=show)
    assert capsys.readouterr().out == '{"ok": true, "rows": 123456}\n'
    emit({"rows": 123456}, as_json=False, show=show)
    assert "1,23,456" in capsys.readouterr().out


def test_progress_is_silent_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("Reading", total=10) as advance:
        advance(10)
    assert capsys.readouterr() == ("", "")


def test_progress_shows_a_rate_on_a_terminal(tmp_path: Path) -> None:
    script = tmp_path / "work.py"
    script.write_text(
        "import sys\nfrom optiq.cli.output import progress\n"
        "with progress('Reading', total=2_00_000, quiet='--json' in sys.argv) as advance:\n"
        "    import time\n"
        "    for _ in range(20):\n"
        "        advance(10_000)\n"
        "        time.sleep(0.03)\n"
        "print('done')\n"
    )
    watched = on_terminal([sys.executable, str(script)])
    assert "Reading" in watched
    assert "rows/s" in watched
    assert "rows/s" not in on_terminal([sys.executable, str(script), "--json"])


def on_terminal(command: list[str]) -> str:
    """Run a command whose stderr is a terminal and return what the terminal received."""
    ours, theirs = os.openpty()
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=environ) as process:
        os.close(theirs)
        received = b""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                part = os.read(ours, 65536)
            except OSError:  # Linux says EIO when the other end is closed
                break
            if not part:
                break
            received += part
        assert process.wait(timeout=60) == 0
    os.close(ours)
    return received.decode()


def test_a_warning_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    warn("the book of [NIFTY] is " + "very " * 40 + "thin")
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("optiq: warning: the book of [NIFTY] is very")
    assert said.err.count("\n") == 1
