"""Whatever a vendor sends, a poll gives a row or a fault, and the session goes on."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from feed_server import OPEN, FakeClock, Vendor, fed, served
from test_ingest_contract import flipped, retyped, spliced, truncated

from optiq.market.feeds.faults import FeedFault
from optiq.market.feeds.live import NAMES

DAMAGES = (flipped, truncated, retyped, spliced)


def polled(name: str, polls: int, seed: int) -> Counter[str]:
    """How polls end when every page is damaged: in a row, or by which kind of fault."""
    clock, rng = FakeClock(OPEN + np.timedelta64(60, "s")), random.Random(f"{name} {seed}")
    vendor, ends = Vendor(lambda: clock.at), Counter[str]()
    with served(vendor), fed(name, clock, vendor, expiries=1) as feed:
        feed.snapshot()
        for number in range(polls):
            clock.sleep(30.0 if since_open(clock) < 18_000.0 else -14_400.0)
            vendor.pages.clear()
            whole = vendor.chain(name, vendor.expiries[0])
            vendor.pages[name] = DAMAGES[number % len(DAMAGES)](whole, rng)
            try:
                feed.snapshot()
            except FeedFault as fault:
                ends[fault.kind] += 1
            else:
                ends["row"] += 1
    return ends


def since_open(clock: FakeClock) -> float:
    return float((clock.at - OPEN) / np.timedelta64(1, "s"))


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_answer_is_a_row_or_a_fault(name):
    ends = polled(name, polls=60, seed=1)
    assert ends.total() == 60
    assert ends["broken"] >= 15, "a quarter of them are cut short"
    assert ends["row"] >= 1, "a flipped digit is a price like another"


@pytest.mark.study
def test_thousands_of_damaged_answers(write_study):
    rows = []
    for name in NAMES:
        ends = polled(name, polls=3_000, seed=2)
        others = ", ".join(f"{kind} {n}" for kind, n in ends.most_common() if kind != "row")
        rows.append((name, ends.total(), ends["row"], others, 0))
    write_study(
        "damaged-answers",
        "Answers of each vendor with flipped bits, cut ends, splices and swapped types, served to "
        "its feed: a row, a fault, or anything else, which would stop a session.",
        ["feed", "polls", "rows", "faults by kind", "anything else"],
        rows,
    )
    assert [row[1] for row in rows] == [3_000] * len(NAMES)
