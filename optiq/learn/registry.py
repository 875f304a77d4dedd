"""The models there are: saved whole, verified before use, promoted by one swap of one file.

    models/scorer/1.0.0/      a version: native files, card.json, card.html, MANIFEST.sha256
    models/scorer/pointer.json    who serves since when: every promotion and rollback
    models/scorer/lockbox.jsonl   every opening of unseen sessions
    models/scorer/trials.jsonl    every fit

Reading takes no lock and writes nothing. Saving and promoting hold the kind's lock; who comes
second gets `BusyError`. Nothing here ever reads a pickle.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optiq.errors import DamagedError, InputError, MissingDataError
from optiq.learn import aliases as pointer
from optiq.learn.aliases import Promotion
from optiq.learn.card import checked_card
from optiq.learn.version_folder import (
    CARD,
    CARD_PAGE,
    RESTORE,
    Stored,
    files_sha256,
    read_folder,
    sweep,
    write_folder,
)
from optiq.market.durable import held, make_folder
from optiq.market.schema import IST

KINDS = ("scorer", "policy", "direction")
ALIASES = ("champion", "candidate", "previous")
FIRST_VERSION = "1.0.0"
OPEN_HOUR = 9
_VERSION = re.compile(r"(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})")

Render = Callable[[Mapping[str, Any]], str]
"""From a card to its page. `report` stands above `learn`, so the command line passes it in."""


def save(
    root: Path,
    kind: str,
    files: Mapping[str, bytes],
    card: Mapping[str, Any],
    *,
    render: Render | None = None,
    now: dt.datetime | None = None,
    reuse: bool = True,
) -> str:
    """Store a new candidate and return its version, 1.0.0 for the first.

    Where the newest version has the same files and the same card but for the time it was made,
    that one is returned instead: whoever is interrupted after saving may simply train again.
    ``reuse=False`` stores another all the same.

    The patch number grows with every candidate, the minor one when the card's ``features_hash``
    differs from the latest version's. The card is completed (kind, version, parent, created, hash
    of the files) and checked: `InputError` if a quality figure in it was not measured out of
    sample. ``render`` makes its page, ``report.card.card_page`` for one.
    """
    folder = _folder(root, kind)
    with _locked(folder, kind):
        version = _next_version(folder, str(card.get("features_hash", "")))
        champion = pointer.serving(pointer.history(folder))
        whole = checked_card(
            {
                **card,
                "kind": kind,
                "version": version,
                "parent": champion.version if champion else None,
                "created": (now or dt.datetime.now(dt.UTC)).isoformat(timespec="seconds"),
                "hashes": {**card.get("hashes", {}), "model": files_sha256(files)},
            }
        )
        if reuse and (twin := _twin(folder, files, whole)):
            return twin
        text = json.dumps(whole, indent=1, allow_nan=False, ensure_ascii=False)
        pages = {CARD_PAGE: render(whole).encode()} if render else {}
        write_folder(folder / version, {**files, CARD: text.encode(), **pages})
    return version


def load(root: Path, kind: str, version: str) -> Stored:
    """Return a version or an alias of one, its manifest checked before anything is parsed.

    `MissingDataError` where there is none, `DamagedError` where it is not what was written, or not
    what was promoted.
    """
    folder = _folder(root, kind)
    exact = resolve(root, kind, version)
    stored = read_folder(folder / exact, kind, exact)
    for promotion in pointer.history(folder):
        if promotion.version == exact and promotion.manifest_sha256 != stored.manifest_sha256:
            raise DamagedError(f"{kind} {exact}: not the files that were promoted", RESTORE)
    return stored


def promote(
    root: Path,
    kind: str,
    version: str,
    *,
    takes_effect: dt.date,
    reason: str,
    forced: bool = False,
    now: dt.datetime | None = None,
) -> Promotion:
    """Let a version serve from a session on; it is verified first.

    ``takes_effect`` must lie after the card's ``seen_until``: no session may be served by a model
    that has seen it. Asking whether it deserves to is `gates.judge`'s business.
    """
    folder = _folder(root, kind)
    if not reason.strip():
        raise InputError("a promotion without a reason", "give --reason")
    with _locked(folder, kind):
        stored = load(root, kind, version)
        seen = seen_until(stored)
        if takes_effect <= seen:
            raise InputError(
                f"{kind} {stored.version} has seen {seen} and cannot serve {takes_effect}",
                "let it take effect on a later session",
            )
        promotion = _decision(stored, takes_effect, reason, now, forced=forced)
        pointer.append(folder, promotion)
    return promotion


def rollback(
    root: Path,
    kind: str,
    *,
    takes_effect: dt.date | None = None,
    reason: str = "rollback",
    now: dt.datetime | None = None,
) -> Promotion:
    """Let the version before the champion serve again; it is verified first.

    It takes effect today, or from nine in the morning (India) tomorrow, so that no session that has
    begun is told differently afterwards; never on a session the version has seen. Rolling back
    twice returns to where one was.
    """
    folder = _folder(root, kind)
    with _locked(folder, kind):
        earlier = pointer.before(pointer.history(folder))
        if earlier is None:
            raise MissingDataError(f"no earlier {kind} to return to", "see optiq models ls")
        stored = load(root, kind, earlier.version)
        wanted = takes_effect or next_morning(now or dt.datetime.now(dt.UTC))
        effect = max(wanted, seen_until(stored) + dt.timedelta(days=1))
        promotion = _decision(stored, effect, reason, now, act="rollback")
        pointer.append(folder, promotion)
    return promotion


def at(root: Path, kind: str, session: dt.date) -> str | None:
    """Return the version whose promotion had taken effect on a session; None before the first."""
    promotion = pointer.serving(pointer.history(_folder(root, kind)), session)
    return promotion.version if promotion else None


def versions(root: Path, kind: str) -> list[str]:
    """Return the versions there are, oldest first, whole or not."""
    return _versions(_folder(root, kind))


def aliases(root: Path, kind: str) -> dict[str, str | None]:
    """Return the versions that champion, candidate and previous stand for; None for none.

    The candidate is the newest version if it is newer than everything ever promoted.
    """
    folder = _folder(root, kind)
    promotions = pointer.history(folder)
    serving, earlier = pointer.serving(promotions), pointer.before(promotions)
    newest = next(reversed(_versions(folder)), None)
    tried = [_order(p.version) for p in promotions]
    is_new = newest is not None and all(_order(newest) > order for order in tried)
    return {
        "champion": serving.version if serving else None,
        "candidate": newest if is_new else None,
        "previous": earlier.version if earlier else None,
    }


def promotions(root: Path, kind: str) -> tuple[Promotion, ...]:
    """Return every promotion and rollback of a kind, in order of decision."""
    return pointer.history(_folder(root, kind))


def resolve(root: Path, kind: str, name: str) -> str:
    """Return the version that a version or an alias names."""
    if name in ALIASES:
        version = aliases(root, kind)[name]
        if version is None:
            raise MissingDataError(f"no {name} of kind {kind} in {root}", "see optiq models ls")
        return version
    if not _VERSION.fullmatch(name):
        raise InputError(f"no version {name!r}", "write it as 1.0.0, or champion or candidate")
    return name


def seen_until(stored: Stored) -> dt.date:
    """Return the last session that a version's training or validation has seen."""
    try:
        return dt.date.fromisoformat(stored.card["seen_until"])
    except (KeyError, TypeError, ValueError) as reason:
        raise DamagedError(
            f"{stored.kind} {stored.version}: its card does not say what it has seen", RESTORE
        ) from reason


def features_hash(names: Sequence[str]) -> str:
    """Return the hash of an ordered list of features, for the card."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def kind_folder(root: Path, kind: str) -> Path:
    """Return where a kind's versions and ledgers lie."""
    return _folder(root, kind)


def _folder(root: Path, kind: str) -> Path:
    if kind not in KINDS:
        raise InputError(f"no kind of model {kind!r}", f"known are {', '.join(KINDS)}")
    return root / kind


def _versions(folder: Path) -> list[str]:
    there = (path.name for path in folder.glob("*.*.*") if path.is_dir() and not path.is_symlink())
    return sorted(filter(_VERSION.fullmatch, there), key=_order)


def _order(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _twin(folder: Path, files: Mapping[str, bytes], card: Mapping[str, Any]) -> str | None:
    """Return the newest version if it says the same of the same files; None otherwise."""
    newest = next(reversed(_versions(folder)), None)
    if newest is None:
        return None
    try:
        stored = read_folder(folder / newest, folder.name, newest)
    except DamagedError:
        return None
    is_same = files_sha256(stored.files) == files_sha256(files)
    return newest if is_same and _timeless(stored.card) == _timeless(card) else None


def _timeless(card: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in card.items() if key not in ("version", "created")}


def _next_version(folder: Path, features: str) -> str:
    """Return the number after the newest; a version too damaged to tell its features is passed."""
    newest = next(reversed(_versions(folder)), None)
    if newest is None:
        return FIRST_VERSION
    major, minor, patch = _order(newest)
    try:
        same = (
            read_folder(folder / newest, folder.name, newest).card.get("features_hash") == features
        )
    except DamagedError:
        same = False
    return f"{major}.{minor}.{patch + 1}" if same else f"{major}.{minor + 1}.0"


def _decision(
    stored: Stored,
    takes_effect: dt.date,
    reason: str,
    now: dt.datetime | None,
    *,
    forced: bool = False,
    act: str = "promote",
) -> Promotion:
    return Promotion(
        stored.version,
        stored.manifest_sha256,
        takes_effect,
        now or dt.datetime.now(dt.UTC),
        " ".join(reason.split()),
        forced,
        act,
    )


def next_morning(now: dt.datetime) -> dt.date:
    """Return the first day that has not begun to trade: today before nine in India, else the next.

    ``now`` is aware.
    """
    local = now.astimezone(IST)
    return local.date() + dt.timedelta(days=local.hour >= OPEN_HOUR)


@contextmanager
def _locked(folder: Path, kind: str) -> Iterator[None]:
    make_folder(folder, option="--models")
    busy = f"another run is writing the {kind} models"
    with held(folder / ".lock", busy, "wait for it to end, or give another --models"):
        sweep(folder)
        yield
