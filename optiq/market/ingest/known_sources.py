"""The list of sources a store has taken in whole, so that the same bytes are not read twice."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from optiq.market.durable import durable_step, make_folder


@dataclass(frozen=True, slots=True)
class KnownSource:
    """One source taken in; ``days`` are ``UNDERLYING DATE`` of the sessions it gave rows to."""

    name: str
    sha256: str
    rows_in: int
    days: tuple[str, ...]


class KnownSources:
    """A file of one JSON object a line; a line torn by a power cut is as good as none."""

    def __init__(self, root: Path) -> None:
        self._path = root / "sources.jsonl"
        self._is_torn = False
        self._by_digest = {source.sha256: source for source in self._load()}

    def get(self, sha256: str) -> KnownSource | None:
        """Return what is known of these bytes."""
        return self._by_digest.get(sha256)

    def add(self, sources: list[KnownSource]) -> None:
        """Append sources whose days are all committed."""
        if not sources:
            return
        make_folder(self._path.parent)
        with self._path.open("a", encoding="utf-8") as file:
            if self._is_torn:
                file.write("\n")
                self._is_torn = False
            for source in sources:
                file.write(json.dumps(asdict(source)) + "\n")
                self._by_digest[source.sha256] = source
            file.flush()
            os.fsync(file.fileno())
        durable_step()

    def _load(self) -> list[KnownSource]:
        try:
            text = self._path.read_text("utf-8", errors="replace")
        except FileNotFoundError:
            return []
        self._is_torn = bool(text) and not text.endswith("\n")
        return [source for line in text.splitlines() if (source := _parsed(line)) is not None]


def _parsed(line: str) -> KnownSource | None:
    try:
        values = json.loads(line)
        return KnownSource(**values | {"days": tuple(values["days"])})
    except (ValueError, TypeError, KeyError):
        return None
