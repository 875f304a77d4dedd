"""Where the recorded markets lie; they carry no licence, so they are read in place or skipped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

RECORDED = Path(
    os.environ.get("OPTIQ_RECORDED", Path(__file__).resolve().parents[2] / "shared" / "data")
)
FACTS = RECORDED.parent / "facts"

needs_recordings = pytest.mark.skipif(
    not RECORDED.is_dir(), reason=f"no recorded markets in {RECORDED}"
)
