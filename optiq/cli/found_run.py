"""Which run a command is about: a folder, a name under the runs, or a finished paper session."""

from __future__ import annotations

from pathlib import Path


def found_run(name: str | None, runs: Path, store: Path) -> Path:
    """Return a run's folder, by its name or by that of a paper session; without one the latest."""
    from optiq.run.recorded import SUMMARY, find_run
    from optiq.run.sessions import FOLDER

    session = store / FOLDER / (name or "") / "run"
    return session if name and (session / SUMMARY).is_file() else find_run(name, runs)
