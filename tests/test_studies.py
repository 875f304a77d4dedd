"""The long studies and, beside each that has no other small version, a short one."""

from __future__ import annotations

import collections
import datetime as dt
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from both_walks import compiled, slow
from chains import quotes, write
from markets import random_market
from test_ingest_contract import TEXT_CASES, batches_or_refusal, mutations, written

from optiq.cli.config import resolved_toml
from optiq.cli.settings import sections_of
from optiq.errors import OptiqError
from optiq.market.ingest.batch import ReadOptions
from optiq.market.ingest.pipeline import IngestOptions, ingest
from optiq.market.store import Store
from optiq.run.demo import demonstrate
from optiq.run.verdict import Verdict

MOMENTUM = "momentum"


@pytest.mark.study
def test_both_walks_agree_on_fifty_thousand_markets(write_study):
    seen: collections.Counter[str] = collections.Counter()
    differ = []
    for seed in range(2_000, 52_000):
        market = random_market(seed)
        fast = compiled(market)
        if fast != slow(market):
            differ.append(seed)
        seen.update(fast[1].values())
        seen.update(f"exit {trade.reason}" for trade in fast[0])
        seen.update("stale exit" for trade in fast[0] if trade.stale)
    write_study(
        "walks",
        f"The compiled walk and the slow reference on 50,000 generated markets: {len(differ)} "
        "differ in trades, prices, charges, reasons or refusals. How often each thing happened:",
        ["what became of an order", "times"],
        sorted(seen.items()),
    )
    assert differ == []


ENDS = ("read", "refused in one line", "anything else")


def how_it_ends(name: str, path: Path, options: ReadOptions) -> str:
    try:
        return ENDS[0] if batches_or_refusal(name, path, options) else ENDS[1]
    except Exception:  # noqa: BLE001 - counting these is the point
        return ENDS[2]


@pytest.mark.study
def test_damaged_documents_are_read_or_refused(write_study, tmp_path):
    rows = []
    for name, document in (case.values for case in TEXT_CASES):
        rng, ends = random.Random(name), collections.Counter[str]()
        while ends.total() < 1_000:
            path = written(document, tmp_path)
            for content in mutations(path.read_bytes(), rng):
                path.write_bytes(content)
                ends[how_it_ends(name, path, document.options)] += 1
        rows.append((name, document.name, *(ends[end] for end in ENDS)))
    write_study(
        "damaged-documents",
        "Each format's sample with flipped bits, cut ends, splices and swapped types.",
        ["format", "document", *ENDS],
        rows,
    )
    assert sum(row[-1] for row in rows) == 0


CODE = (
    "import sys; from optiq.market.store import Store; "
    "from optiq.market.ingest.pipeline import *; "
    "ingest([sys.argv[1]], Store(sys.argv[2]), IngestOptions(read=ReadOptions(tz='IST')))"
)


def killed_ingest(folder: Path, root: Path, after_s: float) -> bool:
    """Start an ingest, kill it after some time, and return whether the kill came in time."""
    process = subprocess.Popen([sys.executable, "-c", CODE, str(folder), str(root)])
    time.sleep(after_s)
    os.kill(process.pid, signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def is_readable(store: Store) -> bool:
    """Whether every day the store lists can be read."""
    try:
        return all(store.read_panel(d.underlying, d.date).n_rows > 0 for d in store.days())
    except OptiqError:
        return False


def rounds_of_kills(tmp_path: Path, rounds: int, seed: int) -> tuple[int, int, int]:
    """Kill ingests at random moments and run each again.

    Return how many kills came in time, how many stores could not be read in between, and how many
    differ in the end from the store of an undisturbed ingest.
    """
    folder, rng = tmp_path / "in", random.Random(seed)
    in_time = unreadable = unequal = 0
    for day in (17, 18, 19, 20):
        write(quotes(day=dt.date(2025, 11, day)), folder / f"{day}.csv")
    options = IngestOptions(read=ReadOptions(tz="IST"))
    clean = Store(tmp_path / "clean")
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", CODE, str(folder), str(clean.root)], check=True)
    whole_s = time.perf_counter() - started
    wanted = [day.content_id for day in clean.days()]
    for number in range(rounds):
        store = Store(tmp_path / f"store{number}")
        in_time += killed_ingest(folder, store.root, whole_s * rng.uniform(0.3, 1.0))
        unreadable += not is_readable(store)
        ingest([str(folder)], store, options)
        unequal += [day.content_id for day in store.days()] != wanted
    return in_time, unreadable, unequal


def test_a_few_kills_at_random_moments_lose_nothing(tmp_path):
    assert rounds_of_kills(tmp_path, rounds=3, seed=1)[1:] == (0, 0)


@pytest.mark.study
def test_two_hundred_kills_at_random_moments_lose_nothing(write_study, tmp_path):
    in_time, unreadable, unequal = rounds_of_kills(tmp_path, rounds=200, seed=2)
    write_study(
        "killed-ingests",
        "An ingest of four days killed at a random moment, then run again; the store must equal "
        "the one of an undisturbed ingest in the content of every day.",
        ["rounds", "killed in time", "stores unreadable in between", "stores unequal in the end"],
        [(200, in_time, unreadable, unequal)],
    )
    assert (unreadable, unequal) == (0, 0)


def verdicts(folder: Path, days: int, seed: int) -> dict[str, Verdict]:
    """Return the momentum strategy's verdict in each of the demo's two markets."""
    story = demonstrate(
        folder,
        days,
        seed,
        describe=lambda strategy, settings: resolved_toml(sections_of(settings, [strategy])),
        advance=lambda steps: None,
    )
    return {
        market["name"]: Verdict(line["verdict"])
        for market in story["markets"]
        for line in market["strategies"]
        if line["strategy"] == MOMENTUM
    }


def test_a_planted_edge_is_found_and_none_is_found_where_none_is(tmp_path):
    found = verdicts(tmp_path, days=40, seed=1)
    assert found["with momentum"] == Verdict.WINS
    assert found["without momentum"] != Verdict.WINS


@pytest.mark.study
def test_planted_edges_over_seeds(write_study, tmp_path):
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for seed in range(1, 13):
        for market, verdict in verdicts(tmp_path / str(seed), days=40, seed=seed).items():
            counts[market][verdict.value] += 1
    write_study(
        "planted-edges",
        "The example momentum strategy net of charges over 40 sessions, 12 seeds, 95 % over days.",
        ["market", *(v.value for v in Verdict)],
        [(name, *(count[v.value] for v in Verdict)) for name, count in counts.items()],
    )
    assert counts["without momentum"][Verdict.WINS.value] <= 1
    assert counts["with momentum"][Verdict.WINS.value] >= 6
