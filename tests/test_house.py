"""The house stands: imports go down the stairs, and what must be silent is silent."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent / "optiq"
STAIRS = ("errors", "market", "trade", "run", "learn", "report", "cli")
LONGEST_FILE = 400

PURE_MARKET = (
    "schema",
    "contracts",
    "calendar",
    "pricing",
    "panel",
    "features",
    "simulate",
    "context",
)
CSV_LOADER = "optiq.market.tables"
"""Reads the dated tables that ship beside the code: the one thing silent code may read."""
SILENT_IMPORTS = {
    *("time", "random", "secrets", "uuid", "socket", "ssl", "http", "urllib", "requests", "httpx"),
    *("os", "io", "pathlib", "shutil", "tempfile", "glob", "sqlite3", "subprocess"),
    *("importlib.resources", "importlib.util", "importlib.metadata"),  # not import_module
    *("threading", "multiprocessing", "asyncio", "joblib"),
}
SILENT_NAMES = {"open", "input", "print", "__import__", "eval", "exec"}
SEEDED = ("default_rng", "SeedSequence", "PCG64")
CLOCKS = {"now", "utcnow", "today"}
DISK = {
    *("read_csv", "read_parquet", "read_table", "to_csv", "to_parquet", "write_table", "tofile"),
    *("fromfile", "loadtxt", "genfromtxt", "savetxt", "savez", "memmap"),
}


def modules() -> dict[str, str]:
    """Return the text of every module of the package by its dotted name."""
    named = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        named[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text()
    return named


MODULES = modules()


def imported(module: str, text: str, is_package: bool = False) -> Iterator[tuple[int, str]]:
    """Yield the line and full name of everything a module imports, at whatever depth."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")
            up = node.level - is_package
            start = ".".join(base[: len(base) - up]) + "." if node.level else ""
            for alias in node.names:
                yield node.lineno, f"{start}{node.module or ''}.{alias.name}".replace("..", ".")


def step(name: str) -> int | None:
    """Return how high a name stands on the stairs; the package itself stands on top.

    Where compiled code is kept, which imports nothing of ours, is the ground.
    """
    parts = name.split(".")
    if parts[0] != "optiq":
        return None
    if parts[1:2] == ["compiled"]:
        return 0
    return STAIRS.index(parts[1]) if len(parts) > 1 and parts[1] in STAIRS else len(STAIRS)


def climbs(module: str, text: str, is_package: bool = False) -> list[str]:
    """Return the imports of a module that go up the stairs, or into the tests."""
    here = step(module)
    assert here is not None
    return [
        f"{module}:{line} imports {name}"
        for line, name in imported(module, text, is_package)
        if name != "optiq.__version__"
        and (((there := step(name)) is not None and there > here) or name.split(".")[0] == "tests")
    ]


def noises(module: str, text: str) -> list[str]:
    """Return where a module touches a clock, a disk, a network, or unseeded randomness."""
    simulates = module.startswith("optiq.market.simulat")
    found = [
        f"{module}:{line} imports {name}"
        for line, name in imported(module, text)
        if any(f"{name}.".startswith(f"{noisy}.") for noisy in SILENT_IMPORTS)
        or (name.startswith("numpy.random.") and not name.endswith(".Generator") and not simulates)
    ]
    for node in ast.walk(ast.parse(text)):
        if noise := _noise(node, simulates):
            found.append(f"{module}:{getattr(node, 'lineno', 0)} {noise}")
    return found


def _noise(node: ast.AST, simulates: bool) -> str:
    if isinstance(node, ast.Call):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        named = node.func.id if isinstance(node.func, ast.Name) else ""
        if named in SILENT_NAMES or called in CLOCKS | DISK | {"open"}:
            return f"calls {named or called}"
        if "default_rng" in (named, called) and not (node.args or node.keywords):
            return "draws without a seed"
        if "datetime64" in (named, called) and any(
            isinstance(a, ast.Constant) and a.value in ("now", "today") for a in node.args
        ):
            return "asks numpy for the time"
    drawn = isinstance(node, ast.Attribute) and ast.unparse(node.value) in (
        "np.random",
        "numpy.random",
    )
    if drawn and node.attr not in ("Generator", *(SEEDED if simulates else ())):
        return f"uses np.random.{node.attr}"
    return ""


def silent_modules() -> list[str]:
    """Return what must be silent: all of ``trade``, the pure market, and what these import."""
    wanted = [name for name in MODULES if name.split(".")[1:2] == ["trade"]]
    wanted += [f"optiq.market.{noun}" for noun in PURE_MARKET if f"optiq.market.{noun}" in MODULES]
    seen: list[str] = []
    while wanted:
        name = wanted.pop()
        if name in seen or name == CSV_LOADER:
            continue
        seen.append(name)
        for _, target in imported(name, MODULES[name], _is_package(name)):
            wanted += [home for home in (target, target.rpartition(".")[0]) if home in MODULES]
    return sorted(set(seen) - {"optiq"})


def _is_package(name: str) -> bool:
    return any(other.startswith(f"{name}.") for other in MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_imports_never_go_up_the_stairs(module: str) -> None:
    assert climbs(module, MODULES[module], _is_package(module)) == []


@pytest.mark.parametrize("module", silent_modules())
def test_silent_code_touches_no_clock_disk_network_or_randomness(module: str) -> None:
    assert noises(module, MODULES[module]) == []


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("optiq.market.panel", "from optiq.trade.orders import Orders"),
        ("optiq.market.panel", "from optiq import Panel"),  # the facade stands on top
        ("optiq.trade.walk", "def f():\n    import optiq.run.backtest"),
        ("optiq.trade.walk", "if TYPE_CHECKING:\n    from optiq.cli import app"),
        ("optiq.run.backtest", "from ..learn import scorer"),
        ("optiq.errors", "import optiq.market"),
        ("optiq.cli.app", "from tests.markets import day"),
    ],
)
def test_a_planted_climb_is_found(module: str, text: str) -> None:
    assert len(climbs(module, text)) == 1


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("optiq.trade.walk", "from optiq.market.panel import Panel\nimport optiq.errors"),
        ("optiq.run.backtest", "from ..trade import walk\nfrom . import paper"),
        ("optiq.cli.app", "from optiq import __version__"),
    ],
)
def test_a_step_down_or_sideways_is_no_climb(module: str, text: str) -> None:
    assert climbs(module, text) == []


@pytest.mark.parametrize(
    "text",
    [
        "import time",
        "from pathlib import Path",
        "def f():\n    import os.path",
        "from urllib.request import urlopen",
        "from importlib import resources",
        "rows = open('x')",
        "rows = table.open('x')",
        "t = dt.datetime.now(IST)",
        "t = date.today()",
        "t = np.datetime64('now')",
        "t = np.datetime64('today', 'D')",
        "x = np.random.normal()",
        "x = np.random.default_rng(7)",  # only the simulator draws
        "from numpy.random import default_rng",
        "frame = pd.read_csv(text)",
        "print(x)",
    ],
)
def test_a_planted_noise_is_found(text: str) -> None:
    assert len(noises("optiq.trade.walk", text)) == 1


def test_the_simulator_may_draw_from_a_seed_and_only_from_one() -> None:
    assert noises("optiq.market.simulate", "rng = np.random.default_rng(seed)") == []
    assert len(noises("optiq.market.simulate", "rng = np.random.default_rng()")) == 1
    assert len(noises("optiq.market.simulate", "x = np.random.normal()")) == 1


def test_the_silent_part_is_not_empty() -> None:
    assert {"optiq.trade.walk", "optiq.market.panel", "optiq.market.schema"} <= set(
        silent_modules()
    )


@pytest.mark.parametrize("module", MODULES)
def test_no_file_grows_too_long(module: str) -> None:
    assert MODULES[module].count("\n") <= LONGEST_FILE


def test_no_test_file_grows_too_long_either() -> None:
    lengths = {path.name: path.read_text().count("\n") for path in HERE.glob("*.py")}
    assert {name for name, length in lengths.items() if length > LONGEST_FILE} == set()


def catch_alls(text: str) -> list[int]:
    """Return the lines that catch every exception."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ExceptHandler)
        and (
            node.type is None
            or {"Exception", "BaseException"} & set(ast.unparse(node.type).split())
        )
    ]


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"optiq.cli.app"}))
def test_only_the_outermost_loop_catches_everything(module: str) -> None:
    assert catch_alls(MODULES[module]) == []


def test_a_planted_catch_all_is_found() -> None:
    assert catch_alls("try:\n    f()\nexcept Exception as error:\n    pass") == [3]
    assert catch_alls("try:\n    f()\nexcept:\n    pass") == [3]
    assert len(catch_alls(MODULES["optiq.cli.app"])) == 1


def undocumented(text: str) -> list[str]:
    """Return the public functions and classes, nested in public classes too, without a word."""
    found = []
    waiting: list[ast.Module | ast.ClassDef] = [ast.parse(text)]
    while waiting:
        for node in waiting.pop().body:
            named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            if not named or node.name.startswith("_"):
                continue
            if ast.get_docstring(node) is None:
                found.append(node.name)
            if isinstance(node, ast.ClassDef):
                waiting.append(node)
    return found


@pytest.mark.parametrize("module", MODULES)
def test_everything_public_is_documented(module: str) -> None:
    assert undocumented(MODULES[module]) == []


def test_a_planted_silence_is_found() -> None:
    assert undocumented("class A:\n    '''A.'''\n    def f(self): ...\n") == ["f"]
