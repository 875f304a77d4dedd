"""A model that an option names by its folder: stored in the registry, then served by version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

_Served = TypeVar("_Served")


def named(
    kind: str,
    given: str | None,
    models: Path,
    ask: Callable[[Path, str | None], _Served],
    session: Path | None = None,
) -> _Served:
    """Return what ``ask`` says of a registry and the name that ``--policy`` or ``--scorer`` gave.

    A folder is stored in the registry first, where it is not there already, and asked for by its
    version; but what is new cannot be what the paper ``session`` was begun with.
    """
    from optiq.learn.adopting import taken_in
    from optiq.report.card import card_page
    from optiq.run.plan import started_with_another
    from optiq.run.sessions import has_begun

    if given is None or not is_folder(kind, given):
        return ask(models, given)
    is_bound = session is not None and has_begun(session)
    refusal = started_with_another(kind, session.name) if session and is_bound else None
    folder = Path(given).expanduser()
    version = taken_in(models, kind, folder, ask, render=card_page, refusal=refusal)
    return ask(models, version)


def is_folder(kind: str, given: str) -> bool:
    """Whether an option names a folder: it has a slash, and is no version.

    >>> [is_folder("policy", name) for name in ("./mine", "policy/1.0.0", "./policy/1.0.0", "mine")]
    [True, False, True, False]
    """
    rest = given.removeprefix(f"{kind}/")
    return "/" in given and not (rest != given and rest[:1].isdecimal() and "/" not in rest)
