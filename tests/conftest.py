"""What every test starts from: an odd time zone, no settings of the person, bounded examples."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from optiq.market.store import Store

os.environ["TZ"] = "Pacific/Chatham"  # 12:45 ahead: whoever reads local time is found out
time.tzset()

for _name in ("FORCE_COLOR", "GITHUB_ACTIONS", "COLUMNS", "TERMINAL_WIDTH"):
    os.environ.pop(_name, None)  # help and tables look the same on every machine

for _name in [name for name in os.environ if name.startswith("OPTIQ_")]:
    if _name != "OPTIQ_RECORDED":
        del os.environ[_name]

_SLOW_MACHINE = [HealthCheck.too_slow]
settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    print_blob=True,
    max_examples=100,
    suppress_health_check=_SLOW_MACHINE,
)
settings.register_profile(
    "study",
    deadline=None,
    print_blob=True,
    max_examples=5_000,
    suppress_health_check=_SLOW_MACHINE,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

STUDIES = Path(__file__).parents[1] / "docs" / "studies"
WriteStudy = Callable[[str, str, Sequence[str], Sequence[Sequence[object]]], Path]


@pytest.fixture
def write_study() -> WriteStudy:
    """Return what writes a study's table: ``write_study(name, summary, headings, rows)``."""

    def write(
        name: str, summary: str, headings: Sequence[str], rows: Sequence[Sequence[object]]
    ) -> Path:
        STUDIES.mkdir(parents=True, exist_ok=True)
        day = dt.datetime.now(dt.UTC).date()
        lines = [headings, ["---"] * len(headings), *rows]
        table = "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
        path = STUDIES / f"{day}-{name}.md"
        path.write_text(f"# {name}, {day}\n\n{summary}\n\n{table}\n", encoding="utf-8")
        return path

    return write


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return an empty store."""
    from optiq.market.store import Store  # not before the settings above are cleared

    return Store(tmp_path / "store")
