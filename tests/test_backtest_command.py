from __future__ import annotations

import pytest
from typer.testing import CliRunner

from optiq.cli.app import app
from optiq.errors import InputError


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("backtest --date 2026-08-18 --from 2026-08-17", "--date and --from or --to"),
        ("backtest --date 2026-08-18 --to 2026-08-19", "--date and --from or --to"),
        ("strategies band gamma_scalping 8 5", "a band of 8 times spot"),
    ],
)
def test_what_cannot_be_meant_is_refused(words: str, message: str) -> None:
    done = CliRunner().invoke(app, words.split())
    assert isinstance(done.exception, InputError)
    assert str(done.exception) == message
