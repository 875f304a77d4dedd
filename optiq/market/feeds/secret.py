"""A token, and where it comes from: an environment variable, else the system's keyring."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NoReturn

from optiq.errors import InputError

HIDDEN = "****"
KEYRING_SERVICE = "optiq"


class Secret:
    """A text that shows as ``****`` wherever it is printed, logged, formatted or pickled.

    >>> f"{Secret('hunter2')} {Secret('hunter2')!r}"
    '**** ****'
    """

    __slots__ = ("_prefix", "_text")

    def __init__(self, text: str, prefix: str = "") -> None:
        self._text, self._prefix = text, prefix

    def __repr__(self) -> str:
        return HIDDEN

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written down")

    def reveal(self) -> str:
        """Return the text behind its prefix, for the one header it goes into."""
        return self._prefix + self._text

    def after(self, prefix: str) -> Secret:
        """Return the same secret behind a public prefix, such as ``Bearer``."""
        return Secret(self._text, prefix)

    def scrub(self, text: str) -> str:
        """Return a text with ``****`` wherever it holds the secret."""
        return text.replace(self._text, HIDDEN) if self._text else text


def token(variable: str, environ: Mapping[str, str] = os.environ) -> Secret:
    """Return what a variable holds, else what the keyring keeps for ``optiq`` under that name.

    `InputError` where there is neither, or what is there cannot stand in a header.
    """
    text = (environ.get(variable) or _from_keyring(variable)).strip()
    if not text:
        raise InputError(
            f"no {variable} in the environment",
            f"export it, or store it with `keyring set {KEYRING_SERVICE} {variable}`",
        )
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise InputError(f"{variable} holds what no token consists of", "copy it again")
    return Secret(text)


def _from_keyring(variable: str) -> str:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return ""
    try:
        return keyring.get_password(KEYRING_SERVICE, variable) or ""
    except KeyringError:  # no keyring runs here, or it is locked
        return ""
