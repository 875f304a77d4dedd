"""The audit for leaks: checks of a stored version, each with a verdict and its numbers.

Every kind has a module with ``subject(store, stored, seed)`` and a table ``CHECKS`` of names and
functions of that subject. Findings are kept in ``models/<kind>/audits.jsonl``, bound to the
model's hash; the gate reads them there. Strategies have a table too (`strategy_audit`); they are
not stored, so what is found is told and not kept.
"""

from __future__ import annotations

import datetime as dt
import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optiq.errors import InputError
from optiq.learn import ledger_file, registry
from optiq.learn.version_folder import Stored
from optiq.market.store import Store

AUDITS = "audits.jsonl"
Found = tuple[bool, str, Mapping[str, Any]]
"""What a check returns: whether it passed, what it says, and numbers by name."""
AUDITED = {
    "scorer": "optiq.learn.scorer.audit",
    "direction": "optiq.learn.direction.audit",
    "policy": "optiq.learn.policy.audit",
    "strategy": "optiq.learn.strategy_audit",
}
"""Each kind's table of checks."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: in words, and in numbers by name."""

    check: str
    passed: bool
    says: str
    numbers: Mapping[str, float | int | str | None] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON, as a card's ``audit`` holds it."""
        return {
            "check": self.check,
            "passed": self.passed,
            "says": self.says,
            "numbers": dict(self.numbers),
        }


def n_checks(kind: str) -> int:
    """Return how many checks a kind has, for a progress bar."""
    return len(_table(kind).CHECKS)


def asked(
    checks: Iterable[tuple[str, Callable[[Any], Found]]],
    subject: object,
    advance: Callable[[int], None] = lambda _: None,
) -> list[Finding]:
    """Return what each check of a table finds; ``advance`` is told after each."""
    findings = []
    for name, check in checks:
        passed, says, numbers = check(subject)
        findings.append(Finding(name, bool(passed), says, numbers))
        advance(1)
    return findings


def run(
    models: Path,
    store: Path,
    stored: Stored,
    *,
    seed: int = 0,
    advance: Callable[[int], None] = lambda _: None,
    now: dt.datetime | None = None,
) -> list[Finding]:
    """Audit a version, write what was found beside the versions, and return it."""
    table = _table(stored.kind)
    findings = asked(table.CHECKS, table.subject(Store(store), stored, seed), advance)
    entry = {
        "time": (now or dt.datetime.now(dt.UTC)).isoformat(timespec="seconds"),
        "version": stored.version,
        "model_sha256": stored.model_sha256,
        "passed": all(one.passed for one in findings),
        "checks": [one.to_json() for one in findings],
    }
    ledger_file.append(registry.kind_folder(models, stored.kind) / AUDITS, entry)
    return findings


def latest(models: Path, stored: Stored) -> list[Finding] | None:
    """Return what the last audit of exactly these files found; None where there was none."""
    entries = ledger_file.read(registry.kind_folder(models, stored.kind) / AUDITS)
    for entry in reversed(entries):
        if entry["model_sha256"] == stored.model_sha256:
            return [Finding(**one) for one in entry["checks"]]
    return None


def faults(models: Path, store: Path, stored: Stored) -> list[str]:
    """Return a line for each failed check of a version; it is audited first if nobody has."""
    found = latest(models, stored)
    if found is None:
        found = run(models, store, stored)
    return [f"audit: {one.check}: {one.says}" for one in found if not one.passed]


def _table(kind: str) -> Any:
    if kind not in AUDITED:
        raise InputError(f"no audit of kind {kind!r}", f"known: {', '.join(AUDITED)}")
    return importlib.import_module(AUDITED[kind])
