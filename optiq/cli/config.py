"""Settings: dataclass defaults, one TOML file, ``OPTIQ_*`` variables over it, flags over both."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import math
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_type_hints

from optiq.cli.values import Origin, Setting, read_text, read_value
from optiq.errors import InputError

FILE = Path("optiq.toml")
FOLDERS = ("store", "models", "runs")
"""Top-level keys of the file; also ``OPTIQ_STORE`` and so on."""
RECORDED = "OPTIQ_RECORDED"
"""Where this project's own tests find recorded markets; not a setting."""
FAULT_PREFIX = "OPTIQ_TEST_"
"""What this project's own tests make a process die of; not settings."""
ALERT_PREFIX = "OPTIQ_ALERT_"
"""What a program told by ``--alert`` has in its environment; it may well run optiq itself."""

Sections = Mapping[str, type[Any]]


def resolve(
    sections: Sections,
    config: Path | None = None,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] = os.environ,
) -> dict[str, Any]:
    """Return one filled dataclass per section.

    ``sections`` names every section there may be, with its dataclass; the fields of a nested
    dataclass are keys of the same section. ``overrides`` are ``section.key=value``. A section or
    key that is not known, or a value of the wrong type, is an `InputError` that says where it
    was written.
    """
    known = {s.name: s for name, kind in sections.items() for s in _settings(name, kind)}
    values: dict[str, Any] = {}
    for layer in (
        _from_file(known, find_file(config)),
        _from_environment(known, environ),
        _from_overrides(known, overrides),
    ):
        values.update(layer)
    return {name: _build(name, kind, values) for name, kind in sections.items()}


def find_file(config: Path | None) -> Path | None:
    """Return the settings file: the one asked for, else ``optiq.toml`` here, else None."""
    if config is None:
        return FILE if FILE.is_file() else None
    if not config.is_file():
        raise InputError(f"no settings file {config}", "give --config an existing TOML file")
    return config


def folder(
    name: str,
    default: Path,
    config: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Path:
    """Return the store, models or runs folder where no flag names it.

    A path in the file, and the default, is relative to the file's folder; one in a variable to
    the working folder.
    """
    if given := environ.get(f"OPTIQ_{name.upper()}"):
        return Path(given).expanduser()
    file = find_file(config)
    if file is None:
        return default
    written = _tables(file).get(name, str(default))
    if not isinstance(written, str):
        raise InputError(
            f"{file}: {name} is {written!r}, which is not a path", "write it in quotes"
        )
    return file.parent / Path(written).expanduser()


def resolved_toml(settings: Mapping[str, Any], folders: Mapping[str, Path] | None = None) -> str:
    """Write settings as a TOML file that `resolve` reads back as the same values.

    ``folders`` (store, models, runs) are written absolute: the file will lie elsewhere than the
    one they were relative to.
    """
    places = "".join(
        f"{name} = {_toml(path.absolute())}\n" for name, path in (folders or {}).items()
    )
    tables = (
        f"[{section}]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in _leaves(instance))
        for section, instance in settings.items()
    )
    return "\n".join(filter(None, (places, *tables)))


def _settings(section: str, kind: type[Any]) -> Iterator[Setting]:
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        annotation, default = hints[field.name], _default(field)
        if dataclasses.is_dataclass(annotation):
            for inner in _settings(section, annotation):  # type: ignore[arg-type]
                yield dataclasses.replace(inner, default=getattr(default, inner.key, inner.default))
        else:
            yield Setting(section, field.name, annotation, default)


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _tables(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is not TOML: {error}", "correct it there") from None


def _from_file(known: Mapping[str, Setting], file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    values = {}
    for section, table in _tables(file).items():
        if section in FOLDERS:
            continue
        if not isinstance(table, dict):
            raise _unknown(section, (*FOLDERS, *_names(known)), str(file), "key")
        if section not in _names(known):
            raise _unknown(section, _names(known), str(file), "section")
        for key, value in table.items():
            setting = _find(known, f"{section}.{key}", str(file))
            origin = Origin(f"{file}: {setting.name}", file.parent)
            values[setting.name] = read_value(value, setting, origin)
    return values


def _from_environment(known: Mapping[str, Setting], environ: Mapping[str, str]) -> dict[str, Any]:
    variables = {setting.variable: setting for setting in known.values()}
    folders = tuple(f"OPTIQ_{name.upper()}" for name in FOLDERS)
    values = {}
    for variable in sorted(environ):
        if not variable.startswith("OPTIQ_") or variable in (RECORDED, *folders):
            continue
        if variable.startswith((FAULT_PREFIX, ALERT_PREFIX)):
            continue
        if variable not in variables:
            raise _unknown(variable, (*variables, *folders), "the environment", "setting")
        setting = variables[variable]
        values[setting.name] = read_text(environ[variable], setting, Origin(variable))
    return values


def _from_overrides(known: Mapping[str, Setting], overrides: Sequence[str]) -> dict[str, Any]:
    values = {}
    for override in overrides:
        name, equals, text = override.partition("=")
        if not equals or "." not in name:
            raise InputError(
                f"--set {override!r} names no setting", "write --set section.key=value"
            )
        setting = _find(known, name.strip(), "--set")
        values[setting.name] = read_text(text.strip(), setting, Origin(f"--set {setting.name}"))
    return values


def _names(known: Mapping[str, Setting]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(setting.section for setting in known.values()))


def _find(known: Mapping[str, Setting], name: str, where: str) -> Setting:
    if name in known:
        return known[name]
    section = name.partition(".")[0]
    if section not in _names(known):
        raise _unknown(section, _names(known), where, "section")
    siblings = tuple(setting for setting in known if setting.startswith(f"{section}."))
    raise _unknown(name, siblings, where, "setting")


def _unknown(name: str, names: Sequence[str], where: str, what: str) -> InputError:
    near = get_close_matches(name, names, 1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}"
    return InputError(f"{where}: no {what} {name}", hint)


def _build(section: str, kind: type[Any], values: Mapping[str, Any]) -> Any:
    try:
        return kind(**_given(section, kind, values))
    except ValueError as error:
        raise InputError(f"[{section}]: {error}", "correct that setting") from None


def _given(section: str, kind: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a section that were set; a nested dataclass is made of its own."""
    hints = get_type_hints(kind)
    given: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        if dataclasses.is_dataclass(hints[field.name]):
            inner = {s.key for s in _settings(section, hints[field.name])}
            changes = {k: values[f"{section}.{k}"] for k in inner if f"{section}.{k}" in values}
            if changes:
                given[field.name] = dataclasses.replace(_default(field), **changes)
        elif f"{section}.{field.name}" in values:
            given[field.name] = values[f"{section}.{field.name}"]
    return given


def _leaves(instance: Any) -> Iterator[tuple[str, Any]]:
    for field in dataclasses.fields(instance):
        value = getattr(instance, field.name)
        if dataclasses.is_dataclass(value):
            yield from _leaves(value)
        else:
            yield field.name, value


def _toml(value: Any) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return '"off"'
    if isinstance(value, bool | int | float):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dt.date):
        return value.isoformat()
    text = json.dumps(str(getattr(value, "value", value)), ensure_ascii=False)
    return text.replace(
        "\x7f", "\\u007f"
    )  # the one character JSON allows as it is and TOML does not
