"""Days for paper sessions: a simulated one, with monitor rows between its snapshots if asked."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from optiq.cli.app import main
from optiq.cli.config import resolved_toml
from optiq.cli.settings import sections_of
from optiq.market.chain_row import ChainRow, rows_of
from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.run.backtest import Settings
from optiq.run.journal import NAME as JOURNAL
from optiq.run.journal import read_journal
from optiq.run.plan import Plan
from optiq.run.sessions import Ensemble
from optiq.run.user_strategy import find_all, tokens

NAME = "replay"
TOLD = ("entry", "leaving", "exit", "ended")


def ensemble(settings: Settings | None = None) -> Ensemble:
    return Ensemble(settings or Settings(), find_all([]))


def ensemble_of(*names: str, settings: Settings | None = None) -> Ensemble:
    """Only some of the strategies: a day of one takes a fraction of a day of all."""
    return Ensemble(settings or Settings(), find_all(list(names)))


def patience(seconds: float) -> float:
    """Seconds that a promise in seconds may take here and now: more where many share the cores."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def plan_of(panel: Panel, context: Context, who: Ensemble) -> Plan:
    return Plan(
        underlying=panel.underlying,
        date=panel.date,
        feed="replay",
        has_book=panel.has_book,
        settings=resolved_toml(sections_of(who.settings, who.strategies)),
        strategies=tokens(who.strategies),
        context=context,
    )


def with_monitor_rows(panel: Panel, seed: int) -> Iterator[ChainRow]:
    """A day's rows, with quotes of a few contracts every ten seconds or so between snapshots."""
    rng = np.random.default_rng(seed)
    rows = rows_of(panel)
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        yield row
        if following is None or rng.random() < 0.3:
            continue
        gap = int((following.ts - row.ts) / np.timedelta64(1, "us"))
        for offset in np.unique(rng.integers(1, gap, int(rng.integers(1, 6)))):
            yield monitor_row(row, row.ts + np.timedelta64(int(offset), "us"), rng)


def monitor_row(row: ChainRow, ts: np.datetime64, rng: np.random.Generator) -> ChainRow:
    """Prices of up to twelve of a row's priced contracts, up to 3 % away."""
    known = [row.fields[name] for name in ("ltp", "bid", "ask") if name in row.fields]
    priced = np.flatnonzero(~np.isnan(known).all(axis=0))
    picked = np.sort(rng.choice(priced, min(12, len(priced)), replace=False))
    move = 1.0 + rng.uniform(-0.03, 0.03)
    prices = {
        name: (np.round(row.fields[name][picked] * move / 0.05) * 0.05).astype(np.float32)
        for name in ("ltp", "bid", "ask")
        if name in row.fields
    }
    return replace(
        row,
        ts=ts,
        known=ts,
        is_chain=False,
        expiry=row.expiry[picked],
        strike=row.strike[picked],
        right=row.right[picked],
        fields=prices,
    )


def started(act: Callable[[], int], out: Path | None = None) -> int:
    """Run something in a forked process that says what it says into a file; return its number."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the libraries' idle threads
        child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        said = os.open(out or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(said, 1)
        os.dup2(said, 2)
        sys.stdout = os.fdopen(1, "w", closefd=False)  # not the one that a test captures
        sys.stderr = os.fdopen(2, "w", closefd=False)
        os._exit(act())
    return child


def ended(child: int) -> int:
    """Wait for a process and return its status, as a shell would say it."""
    _, status = os.waitpid(child, 0)
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def in_a_child(act: Callable[[], int], out: Path | None = None) -> int:
    """Run something in a forked process and return its status."""
    return ended(started(act, out))


def killed_after(seconds: float, act: Callable[[], int], out: Path | None = None) -> int:
    """Run something in a forked process and SIGKILL it after a while, if it still runs."""
    child, ends = started(act, out), time.monotonic() + seconds
    while time.monotonic() < ends:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.WEXITSTATUS(status)
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    return ended(child)


def dying_at(step: int, act: Callable[[], int]) -> Callable[[], int]:
    """The same, killed after so many durable steps."""

    def die_there() -> int:
        os.environ["OPTIQ_TEST_DIE_AT"] = str(step)
        return act()

    return die_there


def paper_run(store: Path, date: object, *more: str) -> Callable[[], int]:
    """The command, ready to run."""
    asked = ["paper-run", "--date", str(date), "--session", NAME, "--store", str(store), *more]
    return lambda: main(asked)


def ledger(store: Path) -> bytes:
    """The bytes of a finished session's trades."""
    return (store / "sessions" / NAME / "run" / "trades.parquet").read_bytes()


def copied(store: Path, to: Path) -> Path:
    """A store of the same days without the sessions."""
    to.mkdir()
    for part in ("chain", "manifest"):
        (to / part).symlink_to(store / part)
    return to


def printed(out: Path) -> Counter[str]:
    """What a session said in JSON lines that end, of what the walk did."""
    said = [json.loads(line) for line in whole_lines(out) if line.startswith('{"event"')]
    return Counter(_line(line["event"], line) for line in said if line["event"] in TOLD)


def journaled(store: Path) -> Counter[str]:
    """The same of its journal, whether it was printed or not."""
    folder = store / "sessions" / NAME
    events = read_journal(folder) if (folder / JOURNAL).exists() else ()
    return Counter(_line(event.kind, event.told) for event in events if event.kind in TOLD)


def lost_lines(out: Path, store: Path) -> int:
    """How many of the printed lines the session's journal does not hold."""
    told = printed(out)
    return (told - journaled(store)).total() if told else 0


def whole_lines(out: Path) -> list[str]:
    """The lines of a file that end."""
    text = out.read_text() if out.exists() else ""
    return text[: text.rfind("\n") + 1].splitlines()


def _line(kind: str, told: dict[str, Any]) -> str:
    kept = {k: v for k, v in told.items() if k not in ("event", "time", "row")}
    return json.dumps([kind, kept], sort_keys=True)
