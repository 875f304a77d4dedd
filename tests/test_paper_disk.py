"""A disk without room stops a session and spoils nothing; what was printed is on it."""

from __future__ import annotations

import resource
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from paper_days import in_a_child, journaled, printed, whole_lines
from undisturbed import Undisturbed, small_session, undisturbed

from optiq.market.simulated_settings import Simulation

KIB = 1024


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Undisturbed:
    return small_session(tmp_path_factory.mktemp("small"))


@contextmanager
def tmpfs(folder: Path, size: int) -> Iterator[Callable[[int], None]]:
    """A disk of so many bytes while the block runs; yields what gives it another size."""
    folder.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    if not shutil.which("mount") or subprocess.run(mounted, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here: not root, or not allowed")

    def resize(to: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={to}", str(folder)], check=True)

    try:
        yield resize
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def with_files_of(size: int, act: Callable[[], int]) -> Callable[[], int]:
    """The same in a process whose files cannot grow beyond so many bytes."""

    def limited() -> int:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        return act()

    return limited


class Stop(NamedTuple):
    """How a session ended that had too little room, and how it went on with more."""

    status: int
    error: str
    printed: Counter[str]
    journaled: Counter[str]
    resumed: int
    equals: bool


def stopped(
    whole: Undisturbed,
    place: Path,
    out: Path,
    short: Callable[[Callable[[], int]], Callable[[], int]],
    enlarge: Callable[[], None],
) -> Stop:
    command = whole.command(place)
    status = in_a_child(short(command), out)
    error, said, kept = whole_lines(out)[-1], printed(out), journaled(place)
    enlarge()
    resumed = in_a_child(command, out)
    return Stop(status, error, said, kept, resumed, whole.equals(place))


def on_a_disk_of(size: int, whole: Undisturbed, place: Path, out: Path) -> Stop:
    with tmpfs(place / "sessions", size) as resize:
        return stopped(whole, place, out, lambda act: act, lambda: resize(64 * KIB * KIB))


def with_short_files(size: int, whole: Undisturbed, place: Path, out: Path) -> Stop:
    return stopped(whole, place, out, lambda act: with_files_of(size, act), lambda: None)


def require_clean_stop(stop: Stop) -> None:
    assert stop.status == 74, stop.error
    assert stop.error.startswith('{"ok": false')
    assert "sessions" in stop.error, "it names the file"
    assert stop.printed == stop.journaled
    assert (stop.resumed, stop.equals) == (0, True)


@pytest.mark.parametrize("short_of_room", [on_a_disk_of, with_short_files])
def test_no_room_stops_a_session_which_then_goes_on(small, tmp_path, short_of_room):
    stop = short_of_room(320 * KIB, small, *small.session(tmp_path / "store"))
    require_clean_stop(stop)
    assert stop.printed.total() > 5


@pytest.mark.study
def test_disks_and_files_of_all_sizes(write_study, tmp_path):
    day = Simulation(days=1, seed=11, strikes_each_side=12, expiries=2)
    whole, rows = undisturbed(tmp_path, day), []
    for what, short_of_room in (("tmpfs", on_a_disk_of), ("RLIMIT_FSIZE", with_short_files)):
        for size in (4, 16, 64, 256, 1024, 2048):
            place, out = whole.session(tmp_path / f"{what}{size}")
            stop = short_of_room(size * KIB, whole, place, out)
            require_clean_stop(stop)
            rows.append((what, size, stop.status, stop.printed.total(), 0, "yes"))
    write_study(
        "full-disks",
        "A replayed day of 375 rows whose journal comes to 3 MB, with too little room, and the "
        "same command once there is enough. Printed and not journaled, or the other way round: 0.",
        ["room", "KiB", "exit status", "lines printed", "differ from the journal", "ends equal"],
        rows,
    )
