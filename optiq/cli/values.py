"""One setting's value: read from TOML or from text, and checked against its type."""

from __future__ import annotations

import enum
import math
import tomllib
import types
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from optiq.errors import InputError

OFF = "off"
"""How a person switches off an exit or a limit."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was written, for the message; and what its relative paths start from."""

    text: str
    folder: Path = Path()


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of one section: its type and default, however deep its dataclass is nested."""

    section: str
    key: str
    annotation: Any
    default: Any

    @property
    def name(self) -> str:
        """``section.key``, as in ``--set``."""
        return f"{self.section}.{self.key}"

    @property
    def variable(self) -> str:
        """Name of the environment variable."""
        return f"OPTIQ_{self.section}_{self.key}".upper()


def read_text(text: str, setting: Setting, origin: Origin) -> Any:
    """Read a value from a flag or variable: as TOML would, words need no quotes."""
    if str in _choices(setting.annotation):
        return read_value(text, setting, origin)
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    return read_value(value, setting, origin)


def read_value(value: Any, setting: Setting, origin: Origin) -> Any:
    """Return ``value`` in the setting's type, or raise `InputError` saying where it was written.

    ``"off"`` is None for a type that allows None, and the value that switches off an exit or a
    limit whose default is off; NaN, infinity and None are never written otherwise.
    """
    if value == OFF and (_can_be_off(setting) or str not in _choices(setting.annotation)):
        return _off(setting, origin)
    for kind in _choices(setting.annotation):
        fitted = _fit(value, kind, origin)
        if fitted is not None:
            return fitted
    raise InputError(
        f"{origin.text} is {value!r}", f"write {_describe(setting.annotation, setting)}"
    )


def _off(setting: Setting, origin: Origin) -> float | None:
    if type(None) in get_args(setting.annotation):
        return None
    if _can_be_off(setting):
        usual = setting.default
        return usual if isinstance(usual, float) and not math.isfinite(usual) else math.nan
    raise InputError(
        f"{origin.text} cannot be off", f"write {_describe(setting.annotation, setting)}"
    )


def _can_be_off(setting: Setting) -> bool:
    if type(None) in get_args(setting.annotation):
        return True
    from optiq.trade.orders import ExitRule

    usual = setting.default
    is_off = isinstance(usual, float) and not math.isfinite(usual)
    return is_off or setting.key in {field.name for field in fields(ExitRule)}


def _choices(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(kind for kind in get_args(annotation) if kind is not type(None))
    return (annotation,)


def _fit(value: Any, kind: Any, origin: Origin) -> Any:
    """Return ``value`` as ``kind``, or None where it is something else."""
    if get_origin(kind) is Literal:
        return value if value in get_args(kind) else None
    if get_origin(kind) is tuple:
        return _fit_tuple(value, kind, origin)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return next((item for item in kind if value in (item.value, item.name)), None)
    if kind is float:
        real = isinstance(value, int | float) and not isinstance(value, bool)
        return float(value) if real and math.isfinite(value) else None
    if kind is int:
        return value if isinstance(value, int) and not isinstance(value, bool) else None
    if kind is Path:
        return origin.folder / Path(value).expanduser() if isinstance(value, str) else None
    return value if isinstance(value, kind) else None


def _fit_tuple(value: Any, kind: Any, origin: Origin) -> tuple[Any, ...] | None:
    inner = get_args(kind)
    many = len(inner) == 2 and inner[1] is Ellipsis
    if not isinstance(value, list) or not (many or len(value) == len(inner)):
        return None
    kinds = inner[:1] * len(value) if many else inner
    items = tuple(_fit(item, one, origin) for item, one in zip(value, kinds, strict=True))
    return None if None in items else items


def _describe(annotation: Any, setting: Setting) -> str:
    words = " or ".join(_word(kind) for kind in _choices(annotation))
    return f'{words} or "{OFF}"' if _can_be_off(setting) else words


def _word(kind: Any) -> str:
    named = {float: "a number", int: "a whole number", bool: "true or false", str: "a word"}
    if kind in named:
        return named[kind]
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(str, get_args(kind)))}"
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return f"one of {', '.join(str(item.value) for item in kind)}"
    if get_origin(kind) is tuple:
        return "a list such as [1, 2]"
    return "a path" if kind is Path else f"a {getattr(kind, '__name__', kind)}"
