"""What is printed is on the disk first, and no name is given to a file that is not."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from paper_days import NAME, copied

from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store

CALLS = "openat,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2"
NO_RECORDS = ("/.run.partial", "/.heartbeat.json")
LINE = re.compile(r"^(?:\[pid +\d+\] |\d+ +)?(\w+)\((.*)$")


@pytest.fixture(scope="module")
def calls(tmp_path_factory) -> list[tuple[str, str]]:
    """What a session of a small day asked the system for, in order: call and arguments."""
    if not shutil.which("strace"):
        pytest.skip("no strace here")
    root = tmp_path_factory.mktemp("traced")
    day = Simulation(days=1, seed=11, row_seconds=900.0, strikes_each_side=8, expiries=1)
    store_simulation(day, Store(root / "store"))
    (stored,) = Store(root / "store").days("NIFTY")
    place = copied(root / "store", root / "paper")
    asked = ["paper-run", "--date", str(stored.date), "--session", NAME, "--store", str(place)]
    asked += ["--set", "walk.latency_s=0", "--json"]
    traced = ["strace", "-f", "-y", "-s", "64", "-e", f"trace={CALLS}", "-o", str(root / "trace")]
    done = subprocess.run(
        [*traced, sys.executable, "-m", "optiq.cli", *asked], capture_output=True, text=True
    )
    if done.returncode and "ptrace" in done.stderr.lower():
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr
    return parsed(root / "trace")


def parsed(trace: Path) -> list[tuple[str, str]]:
    found = (LINE.match(line) for line in trace.read_text(errors="replace").splitlines())
    return [(match[1], match[2]) for match in found if match and "unfinished" not in match[2]]


def test_every_line_is_printed_after_its_commit_reached_the_disk(calls):
    dirty, lines, synced = False, 0, 0
    for call, told in calls:
        if call in ("write", "pwrite64") and "journal.sqlite-wal>" in told:
            dirty = True
        elif call in ("fsync", "fdatasync") and "journal.sqlite-wal>" in told:
            dirty, synced = False, synced + 1
        elif call == "write" and told.startswith("1<") and '{\\"event\\"' in told:
            lines += 1
            assert not dirty, told
    assert synced >= 15, "a commit a row"
    assert lines >= 5, "the day has entries and exits"


def test_no_file_gets_its_name_before_it_is_on_the_disk(calls):
    synced, renamed = set[str](), 0
    for at, (call, told) in enumerate(calls):
        if call in ("fsync", "fdatasync"):
            synced.add(re.search(r"<(.*?)>", told)[1])
        elif call.startswith("rename") and "/paper/" in told:
            if any(name in told for name in NO_RECORDS):
                continue
            source, target = re.findall(r'"(.*?)"', told)
            assert source in synced, f"{source} became {target}"
            folder = str(Path(target).parent)
            after = [t for c, t in calls[at : at + 40] if c == "fsync" and f"<{folder}>" in t]
            assert after, f"the folder of {target} was not made to last"
            renamed += 1
    assert renamed >= 2, "the settings and the episodes"
