"""Models that were damaged, exchanged, half written or fought over are never taken for whole."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_models import FILES, promote, save

from optiq.errors import DamagedError, MissingDataError, OptiqError
from optiq.learn import registry


def flipped(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :]


def digit_changed(content: bytes, rng: random.Random) -> bytes:
    places = [n for n, byte in enumerate(content) if 48 <= byte <= 57] or [0]
    at = rng.choice(places)
    return content[:at] + bytes([48 + (content[at] - 47) % 10]) + content[at + 1 :]


def cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


def grown(content: bytes, rng: random.Random) -> bytes:
    return content + rng.choice([b"\n", b" ", b"\0", content])


MUTATIONS = (flipped, digit_changed, cut, grown)


def damage(path: Path, rng: random.Random) -> None:
    """Spoil one file in one of many ways."""
    if rng.random() < 0.1:
        path.unlink()
    elif rng.random() < 0.1:
        moved = path.with_name("was-" + path.name)
        path.rename(moved)
        path.symlink_to(moved)
    else:
        content = path.read_bytes()
        path.write_bytes(rng.choice(MUTATIONS)(content or b"0", rng))


def silently_loaded(tmp_path: Path, mutants: int) -> list[str]:
    """Return the mutants of a promoted version, its pointer too, that still load."""
    through = []
    for number in range(mutants):
        rng, root = random.Random(number), tmp_path / str(number)
        save(root), promote(root, "1.0.0", "2025-11-21")
        paths = [*sorted((root / "scorer" / "1.0.0").iterdir()), root / "scorer" / "pointer.json"]
        path = rng.choice(paths[:-1] if rng.random() < 0.8 else paths)
        before = path.read_bytes()
        damage(path, rng)
        if path.exists() and not path.is_symlink() and path.read_bytes() == before:
            continue  # a digit changed into itself
        no_pointer = path.name == "pointer.json" and not path.exists()
        try:
            registry.load(root, "scorer", "champion")
            through.append(f"{number}: {path.name}")
        except DamagedError:
            pass
        except MissingDataError:
            through += [] if no_pointer else [f"{number}: {path.name}"]
    return through


def test_no_damaged_file_is_loaded(tmp_path):
    assert silently_loaded(tmp_path, 60) == []


@pytest.mark.study
def test_no_damaged_file_is_loaded_among_three_hundred(tmp_path, write_study):
    through = silently_loaded(tmp_path, 300)
    write_study(
        "damaged-models",
        "Files of a promoted model and its pointer with flipped bits, changed digits, cut or "
        "grown, gone, or replaced by a link: how many still loaded.",
        ["mutants", "loaded in silence"],
        [(300, len(through))],
    )
    assert through == []


def test_files_of_two_versions_cannot_be_mixed(tmp_path):
    save(tmp_path), save(tmp_path, files={**FILES, "model.txt": b"another\n"})
    promote(tmp_path, "1.0.0", "2025-11-21")
    one, other = (tmp_path / "scorer" / version for version in ("1.0.0", "1.0.1"))
    (one / "model.txt").write_bytes((other / "model.txt").read_bytes())
    with pytest.raises(DamagedError, match=r"model\.txt is not what was written"):
        registry.load(tmp_path, "scorer", "1.0.0")
    (one / "MANIFEST.sha256").write_bytes((other / "MANIFEST.sha256").read_bytes())
    (one / "card.json").write_bytes((other / "card.json").read_bytes())
    with pytest.raises(DamagedError, match="card is of another version"):
        registry.load(tmp_path, "scorer", "1.0.0")


def test_a_whole_version_exchanged_for_another_is_not_what_was_promoted(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    save(tmp_path), promote(tmp_path, "1.0.0", "2025-11-21")
    save(elsewhere, files={**FILES, "model.txt": b"another\n"})
    for path in (elsewhere / "scorer" / "1.0.0").iterdir():
        (tmp_path / "scorer" / "1.0.0" / path.name).write_bytes(path.read_bytes())
    with pytest.raises(DamagedError, match="not the files that were promoted"):
        registry.load(tmp_path, "scorer", "champion")


def test_a_file_that_no_manifest_names_is_refused(tmp_path):
    save(tmp_path)
    (tmp_path / "scorer" / "1.0.0" / "model.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(DamagedError, match=r"model\.pkl is not in its manifest"):
        registry.load(tmp_path, "scorer", "1.0.0")


HERE = Path(__file__).parent
LIMITED = """
import resource, sys
from pathlib import Path
from small_models import save
from optiq.errors import OptiqError

resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    save(Path(sys.argv[1]), files={"a.txt": b"fits", "big.bin": bytes(200_000)})
except OptiqError as error:
    print(type(error).__name__, error.exit_code)
"""
PROMOTING = """
import datetime as dt, sys
from pathlib import Path
from small_models import save
from optiq.errors import BusyError
from optiq.learn import registry

root, rounds = Path(sys.argv[1]), int(sys.argv[2])
print("ready", flush=True)
done = 0
for number in range(rounds):
    version = ("1.0.0", "1.0.1")[number % 2]
    try:
        if rounds > 1_000 and number % 4 == 0:
            save(root)
        registry.promote(root, "scorer", version, takes_effect=dt.date(2025, 12, 1), reason="test")
        done += 1
    except BusyError:
        pass
print(done)
"""


def child(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Start another Python that knows optiq and these tests."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)])},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    save(tmp_path)
    said, _ = child(LIMITED, tmp_path).communicate()
    assert said.split() == ["StorageError", "74"]
    assert sorted(path.name for path in (tmp_path / "scorer").iterdir()) == [".lock", "1.0.0"]
    assert registry.load(tmp_path, "scorer", "1.0.0").files == FILES


def kills_that_lost_something(root: Path, kills: int, seed: int) -> tuple[int, int]:
    """Kill a process that saves and promotes without end.

    Return the kills in time, and how often the pointer or the newest version was not whole.
    """
    rng, in_time, broken = random.Random(seed), 0, 0
    save(root), save(root), promote(root, "1.0.0", "2025-12-01")
    for _ in range(kills):
        before = len(registry.promotions(root, "scorer"))
        with child(PROMOTING, root, 10**6) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(rng.uniform(0.0, 0.05))
            os.kill(process.pid, signal.SIGKILL)
            in_time += process.wait() == -signal.SIGKILL
        try:
            now = registry.promotions(root, "scorer")
            stored = registry.load(root, "scorer", "champion")
            broken += not (len(now) >= before and stored.version == now[-1].version)
            registry.load(root, "scorer", registry.versions(root, "scorer")[-1])
        except OptiqError:
            broken += 1
        promote(root, "1.0.0", "2025-12-01")  # what the killed one held is free again
    return in_time, broken


def test_the_pointer_always_names_a_whole_version_whenever_a_promotion_is_killed(tmp_path):
    assert kills_that_lost_something(tmp_path, kills=6, seed=1) == (6, 0)


@pytest.mark.study
def test_a_hundred_killed_promotions(tmp_path, write_study):
    in_time, broken = kills_that_lost_something(tmp_path, kills=100, seed=2)
    write_study(
        "killed-promotions",
        "A process that saves and promotes without end, killed with SIGKILL at a random moment; "
        "the pointer must name a whole, verified version and forget no decision, and the newest "
        "version be whole.",
        ["kills", "killed in time", "pointer or version broken"],
        [(100, in_time, broken)],
    )
    assert (in_time, broken) == (100, 0)


def test_promotions_of_two_processes_at_once_are_all_written_or_refused_as_busy(tmp_path):
    save(tmp_path), save(tmp_path)
    racing = [child(PROMOTING, tmp_path, 60) for _ in range(2)]
    done = [int(process.communicate()[0].split()[-1]) for process in racing]
    assert len(registry.promotions(tmp_path, "scorer")) == sum(done)
    assert registry.load(tmp_path, "scorer", "champion").version in {"1.0.0", "1.0.1"}
