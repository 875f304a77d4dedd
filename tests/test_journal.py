"""The journal keeps what it was given, in order, and notices whatever is not as it wrote it."""

from __future__ import annotations

import os
import random
import resource
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paper_days import in_a_child

from optiq.errors import BusyError, DamagedError, MissingDataError, StorageError
from optiq.market.chain_row import ChainRow
from optiq.run.journal import NAME, Event, Journal, read_journal
from optiq.run.journal_head import LENGTH, Head, read_head

EVENTS = [Event("row", n, random.Random(n).randbytes(3_000)) for n in range(40)]


def written(folder: Path, events: list[Event] = EVENTS) -> Path:
    with Journal(folder) as journal:
        for event in events:
            journal.append([event, Event.of("note", event.row, {"row": event.row})])
    return folder


def test_what_was_appended_is_read_again_in_order(tmp_path):
    events = read_journal(written(tmp_path))
    assert [e for e in events if e.kind == "row"] == EVENTS
    assert [e.told for e in events if e.kind == "note"] == [{"row": n} for n in range(40)]


def test_a_journal_goes_on_where_it_ended(tmp_path):
    written(tmp_path, EVENTS[:10])
    written(tmp_path, EVENTS[10:])
    assert [e for e in read_journal(tmp_path) if e.kind == "row"] == EVENTS


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET row = 1",
        "DELETE FROM event",
        "REPLACE INTO event SELECT * FROM event WHERE seq = 5",  # no trigger hears it delete
        "INSERT INTO event SELECT 0, kind, row, body, sha FROM event LIMIT 1",
    ],
)
def test_nothing_is_changed_removed_or_put_in_between(tmp_path, statement):
    with closing(sqlite3.connect(written(tmp_path) / NAME)) as database:
        with pytest.raises(sqlite3.IntegrityError, match="a journal is never"):
            database.execute(statement)
        database.rollback()


def flipped(path: Path, at: int, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << bit
    path.write_bytes(data)


@pytest.mark.parametrize("name", [NAME, "journal.head"])
def test_one_flipped_bit_anywhere_is_found(tmp_path, name):
    path, rng = written(tmp_path) / name, random.Random(name)
    whole = path.read_bytes()
    places = [0, len(whole) - 1, *(rng.randrange(len(whole)) for _ in range(60))]
    for at in places:
        flipped(path, at, rng.randrange(8))
        with pytest.raises(DamagedError):
            read_journal(tmp_path)
        with pytest.raises(DamagedError), Journal(tmp_path):
            pass
        path.write_bytes(whole)
    assert len(read_journal(tmp_path)) == 80


def test_one_flipped_bit_in_the_log_of_a_killed_session_is_found(tmp_path):
    def die_without_closing() -> int:
        journal = Journal(tmp_path)
        for event in EVENTS:
            journal.append([event])
        os._exit(0)

    assert in_a_child(die_without_closing) == 0
    log = tmp_path / f"{NAME}-wal"
    whole, rng = log.read_bytes(), random.Random(1)
    assert len(read_journal(tmp_path)) == 40
    log.write_bytes(whole)
    for _ in range(40):
        flipped(log, rng.randrange(len(whole)), rng.randrange(8))
        (tmp_path / f"{NAME}-shm").unlink(missing_ok=True)
        with pytest.raises(DamagedError):
            read_journal(tmp_path)
        log.write_bytes(whole)


def test_a_lost_tail_is_found(tmp_path):
    short = written(tmp_path / "short", EVENTS[:5]) / NAME
    long = written(tmp_path / "long") / NAME
    long.write_bytes(short.read_bytes())
    with pytest.raises(DamagedError, match="not as it was written"):
        read_journal(long.parent)


def test_a_journal_without_its_head_is_not_trusted(tmp_path):
    (written(tmp_path) / "journal.head").unlink()
    with pytest.raises(DamagedError, match="is gone"), Journal(tmp_path):
        pass


def test_a_second_writer_is_turned_away(tmp_path):
    with Journal(tmp_path), pytest.raises(BusyError, match=f"process {os.getpid()}"):
        Journal(tmp_path)
    with Journal(tmp_path) as again:
        again.append(EVENTS[:1])


def test_no_session_is_said_so(tmp_path):
    with pytest.raises(MissingDataError, match="no session"):
        read_journal(tmp_path / "nowhere")


@pytest.mark.parametrize("step", range(1, 12))
def test_a_death_at_any_durable_step_loses_nothing_acknowledged(tmp_path, step):
    acknowledged = tmp_path / "acknowledged"

    def write_until_dead() -> int:
        os.environ["OPTIQ_TEST_DIE_AT"] = str(step)
        with Journal(tmp_path / "journal") as journal:
            for event in EVENTS[:3]:
                journal.append([event])
                with acknowledged.open("a") as file:
                    file.write(f"{event.row}\n")
        return 0

    status = in_a_child(write_until_dead)
    assert status == 137, "there are that many steps in three commits"
    told = acknowledged.read_text().split() if acknowledged.exists() else []
    with Journal(tmp_path / "journal") as journal:
        kept = [event.row for event in journal.events]
        assert kept in ([int(row) for row in told], list(range(len(told) + 1)))


def test_what_does_not_fit_on_the_disk_is_not_acknowledged(tmp_path):
    def write_until_full() -> int:
        import resource
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
        kept = 0
        try:
            with Journal(tmp_path) as journal:
                for event in EVENTS:
                    journal.append([event])
                    kept += 1
        except StorageError:
            return kept
        return 255

    acknowledged = in_a_child(write_until_full)
    assert 0 < acknowledged < len(EVENTS)
    events = read_journal(tmp_path)
    assert list(events) == EVENTS[:acknowledged]
    written(tmp_path, EVENTS[acknowledged:])  # with room again it goes on


@pytest.mark.parametrize("room", [2_000, 4_096, 16_384])
def test_a_journal_without_room_to_begin_is_begun_again(tmp_path, room):
    def begin() -> int:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        try:
            with Journal(tmp_path) as journal:
                journal.append(EVENTS[:8])
        except StorageError:
            return 74
        return 0

    assert in_a_child(begin) == 74
    left = sorted(path.name for path in tmp_path.iterdir())
    assert read_journal(tmp_path) == ()
    assert sorted(path.name for path in tmp_path.iterdir()) == left, (
        "who only reads removes nothing"
    )
    written(tmp_path)
    assert len(read_journal(tmp_path)) == 80


def test_a_head_is_exactly_as_long_as_it_says():
    assert len(Head(2**40, "a" * 64, "b" * 64).to_bytes()) == LENGTH


def test_a_head_with_another_blank_is_damaged(tmp_path):
    path = tmp_path / "head"
    path.write_bytes(Head(1, "a", "b").to_bytes()[:-3] + b"\t \n")
    with pytest.raises(DamagedError):
        read_head(path)


rows = st.builds(
    lambda n, seed, names, is_chain: made(n, seed, names, is_chain),
    st.integers(0, 40),
    st.integers(0, 2**32 - 1),
    st.sets(st.sampled_from(["ltp", "bid", "ask", "oi", "volume", "iv"])),
    st.booleans(),
)


def made(n: int, seed: int, names: set[str], is_chain: bool) -> ChainRow:
    rng = np.random.default_rng(seed)
    ts = np.datetime64("2025-11-20T04:00:00", "us") + np.timedelta64(seed, "us")
    fields = {name: rng.uniform(0, 500, n).astype(np.float32) for name in names}
    for values in fields.values():
        values[rng.random(n) < 0.3] = np.nan
    return ChainRow(
        ts=ts,
        known=ts + np.timedelta64(int(rng.integers(0, 10**9)), "us"),
        is_chain=is_chain,
        spot=float(rng.choice([np.nan, 24_000.05])),
        expiry=np.full(n, np.datetime64("2025-11-25")),
        strike=24_000.0 + 50.0 * np.arange(n),
        right=rng.choice([-1, 1], n),
        fields=fields,
    )


@given(rows)
def test_a_row_is_read_from_its_bytes_as_it_was(row):
    again = ChainRow.from_bytes(row.to_bytes())
    assert again.to_bytes() == row.to_bytes()
    assert (again.ts, again.known, again.is_chain) == (row.ts, row.known, row.is_chain)
    assert np.array_equal([again.spot], [row.spot], equal_nan=True)
    assert set(again.fields) == set(row.fields)
    for name in row.fields:
        assert np.array_equal(again.fields[name], row.fields[name], equal_nan=True)


@pytest.mark.parametrize(
    "data", [b"", b"not zlib", ChainRow.to_bytes(made(3, 1, set(), True))[:-9]]
)
def test_bytes_that_are_no_row_are_damaged(data):
    with pytest.raises(DamagedError, match="cannot be read"):
        ChainRow.from_bytes(data)
