"""A session's journal: what was seen and done, in order, written before it is shown.

One SQLite file in WAL mode with ``synchronous=FULL``. Every event carries the digest of all before
it. Beside the file lies its head, which also says what the file looked like, so that one changed
byte anywhere is found: in an event, in an unused page, or in the log, whose damaged tail SQLite
would drop in silence.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from optiq.errors import BusyError, DamagedError, MissingDataError, StorageError
from optiq.market.durable import durable_step, held, make_folder, storage_error
from optiq.market.ingest.session_journal import APPLICATION_ID
from optiq.run.journal_head import Head, digest_of, read_head, write_head

NAME, HEAD_NAME, LOCK_NAME = "journal.sqlite", "journal.head", "lock"
RESTORE = "restore it from a copy"
SETTLE_EVERY = 512
"""Commits between two moves of the log into the file; each takes some milliseconds."""

_START = hashlib.sha256(b"optiq journal 1").digest()
_SCHEMA = f"""
PRAGMA application_id = {APPLICATION_ID};
BEGIN IMMEDIATE;
CREATE TABLE event (
    seq INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    row INTEGER NOT NULL,
    body BLOB NOT NULL,
    sha BLOB NOT NULL
) STRICT;
CREATE TRIGGER event_stays BEFORE UPDATE ON event
    BEGIN SELECT RAISE(ABORT, 'a journal is never changed'); END;
CREATE TRIGGER event_remains BEFORE DELETE ON event
    BEGIN SELECT RAISE(ABORT, 'a journal is never shortened'); END;
CREATE TRIGGER event_follows BEFORE INSERT ON event
    WHEN NEW.seq <= (SELECT max(seq) FROM event)
    BEGIN SELECT RAISE(ABORT, 'a journal is never rewritten'); END;
CREATE VIEW told AS
    SELECT seq, kind, row, CAST(body AS TEXT) AS body FROM event WHERE kind != 'row';
COMMIT;
"""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the journal.

    ``row`` is the number of the session's row it belongs to, -1 before the first; ``body`` a
    row's bytes (kind ``row``), else JSON.
    """

    kind: str
    row: int
    body: bytes

    @classmethod
    def of(cls, kind: str, row: int, told: Any) -> Event:
        """Return an event that tells something in JSON; the same thing gives the same bytes."""
        text = json.dumps(told, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return cls(kind, row, text.encode())

    @property
    def told(self) -> Any:
        """What a JSON event tells."""
        return json.loads(self.body)

    def digest_after(self, before: bytes) -> bytes:
        """Return the digest of the journal up to and with this event."""
        head = f"{self.kind} {self.row} {len(self.body)} ".encode()
        return hashlib.sha256(before + head + self.body).digest()


class Journal:
    """A session's journal, open for writing; one process at a time holds it.

    Opening verifies all of it: `DamagedError` where it is not what was written, `BusyError` where
    another process has it. ``events`` is what it held when it was opened.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        make_folder(folder)
        with ExitStack() as undo:
            busy = f"session {folder.name} is running"
            undo.enter_context(held(folder / LOCK_NAME, busy, "give another --session, or stop it"))
            head = _existing_head(self.path)
            if head is None:
                _remove_unfinished(self.path)
            self.events = () if head is None else _read_verified(self.path, head)
            self.seq, self._sha = len(self.events), _last_digest(self.events)
            self._head = _descriptor(folder / HEAD_NAME)
            undo.callback(os.close, self._head)
            with self._told():
                self._database = _connected(self.path)
                undo.callback(self._abandon)
                if head is None:
                    self._database.executescript(_SCHEMA)
                self._settle()
            self._undo = undo.pop_all()

    def append(self, events: Sequence[Event]) -> None:
        """Commit events as one transaction; when this returns they are on disk.

        `StorageError` or `BusyError` where they cannot be: then none of them is, and the journal
        takes no more.
        """
        seq, sha, records = self.seq, self._sha, []
        for event in events:
            seq, sha = seq + 1, event.digest_after(sha)
            records.append((seq, event.kind, event.row, event.body, sha))
        with self._told(), self._transaction():
            self._database.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?)", records)
        durable_step()
        self.seq, self._sha = seq, sha
        self._since_settled += 1
        with self._told():
            write_head(self._head, Head(seq, sha.hex(), self._file), durable=False)
            durable_step()
            if self._since_settled >= SETTLE_EVERY:
                self._settle()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        finally:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")

    def _settle(self) -> None:
        """Move the log into the file, so that the log stays short, and say what it looks like."""
        write_head(self._head, Head(self.seq, self._sha.hex(), ""), durable=True)
        durable_step()
        self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        durable_step()
        self._file, self._since_settled = digest_of(self.path), 0
        write_head(self._head, Head(self.seq, self._sha.hex(), self._file), durable=True)
        durable_step()

    def _abandon(self) -> None:
        """Let go of the database as it is; SQLite may move its log into the file meanwhile."""
        with self._told():
            write_head(self._head, Head(self.seq, self._sha.hex(), ""), durable=True)
            self._database.close()
            if not self.path.with_name(f"{NAME}-wal").exists():
                settled = Head(self.seq, self._sha.hex(), digest_of(self.path))
                write_head(self._head, settled, durable=True)

    def close(self) -> None:
        """Settle and let go of the session."""
        with self._undo, self._told():
            self._settle()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, StorageError | BusyError):  # what is on disk is whole; touch nothing
            self._undo.close()
        else:
            self.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what SQLite and the system say into one line."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise BusyError(f"{self.path}: {error}", "who else has it open?") from error
            raise StorageError(
                f"{self.path}: {error}", "free some space and run the command again"
            ) from error
        except sqlite3.DatabaseError as error:
            raise DamagedError(f"{self.path}: {error}", RESTORE) from error
        except OSError as error:
            raise storage_error(self.path, error) from error


def read_journal(folder: Path) -> tuple[Event, ...]:
    """Return the verified events of a session that nobody need be writing.

    `MissingDataError` where there is no such session, `DamagedError` where it is not as written.
    """
    path = folder / NAME
    if not path.is_file():
        raise MissingDataError(f"no session in {folder}", "see `optiq sessions ls`")
    head = _existing_head(path)
    return () if head is None else _read_verified(path, head)


def _read_verified(path: Path, head: Head) -> tuple[Event, ...]:
    try:
        with closing(_opened_to_read(path)) as database:
            return _verified(database, path, head)
    except sqlite3.DatabaseError as error:
        raise DamagedError(f"{path}: {error}", RESTORE) from error


def _existing_head(path: Path) -> Head | None:
    """Return a journal's head, its file compared; None where no event was ever committed.

    A journal that was stopped while it was being made has no head, or one that knows of nothing.
    """
    head_path = path.with_name(HEAD_NAME)
    if head_path.exists() and head_path.stat().st_size:
        head = _compared(path, head_path)
        return head if head.seq or _has_events(path) else None
    if _has_events(path):
        raise DamagedError(f"{head_path} is gone", RESTORE)
    return None


def _remove_unfinished(path: Path) -> None:
    """Remove what is left of a journal that never held an event; only its writer may."""
    for part in (path, path.with_name(f"{NAME}-wal"), path.with_name(f"{NAME}-shm")):
        part.unlink(missing_ok=True)


def _compared(path: Path, head_path: Path) -> Head:
    """Return the head once it agrees with its file; a writer may be settling both right now."""
    head = read_head(head_path)
    while head.file and (not path.exists() or digest_of(path) != head.file):
        before, head = head, read_head(head_path)
        if head.file == before.file:
            raise DamagedError(f"{path} is not as it was written", RESTORE)
    return head


def _has_events(path: Path) -> bool:
    try:
        with closing(_opened_to_read(path)) as database:
            return bool(database.execute("SELECT count(*) FROM event").fetchone()[0])
    except sqlite3.DatabaseError:  # no file, not a database yet, or without the table
        return False


def _opened_to_read(path: Path) -> sqlite3.Connection:
    # Without a log nobody writes; reading as if the file never changed leaves no files behind.
    mode = "mode=ro" if path.with_name(f"{NAME}-wal").exists() else "immutable=1"
    return sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True)


def _descriptor(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise storage_error(path, error) from error


def _connected(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None, timeout=5.0)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("PRAGMA wal_autocheckpoint = 0")
    return database


def _verified(database: sqlite3.Connection, path: Path, head: Head) -> tuple[Event, ...]:
    """Return all events, in order, each digest checked and none of the head's missing."""
    (verdict,) = database.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise DamagedError(f"{path}: {verdict}", RESTORE)
    events: list[Event] = []
    sha = _START
    for seq, kind, row, body, written in database.execute("SELECT * FROM event ORDER BY seq"):
        event = Event(kind, row, body)
        sha = event.digest_after(sha)
        if seq != len(events) + 1 or sha != written:
            raise DamagedError(f"{path}: event {seq} is not as it was written", RESTORE)
        events.append(event)
        if seq == head.seq and sha.hex() != head.sha:
            raise DamagedError(f"{path}: event {seq} is not the one its head knows", RESTORE)
    if len(events) < head.seq:
        raise DamagedError(f"{path} ends at event {len(events)} of {head.seq}", RESTORE)
    return tuple(events)


def _last_digest(events: Sequence[Event]) -> bytes:
    sha = _START
    for event in events:
        sha = event.digest_after(sha)
    return sha
