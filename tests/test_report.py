"""The page of a run: what it says, what it leaves out, and what it never lets in."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import tomllib
from dataclasses import replace
from fnmatch import fnmatch
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from runs import DAY, HOSTILE, TRADES, Recorded, Trade, random_path, write_run

from optiq.cli.app import main
from optiq.errors import DamagedError, InputError, MissingDataError
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.report import charts
from optiq.report.ledger_lines import LINES
from optiq.report.page import report
from optiq.report.positions import positions_of
from optiq.report.spot_paths import SpotPaths, read_paths
from optiq.run.recorded import find_run, read_run

LIMIT = 2_000_000
NO_SPOT = SpotPaths({}, {}, "the store is gone")
ROOT = Path(__file__).parents[1]


class Page(HTMLParser):
    """What a browser would make of a page: its elements, scripts, tables and words."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.cells: list[list[str]] = []
        self.words = ""
        self._in_cell = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")
        elif tag == "tr":
            self.cells.append([])
        elif tag in ("td", "th") and self.cells:
            self.cells[-1].append("")
            self._in_cell = True
        elif tag == "br":
            self.cells[-1][-1] += ", "

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            self.scripts[-1] += data
        elif self.cdata_elem is None:
            self.words += data
        if self._in_cell:
            self.cells[-1][-1] += data

    def tags(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag == name]

    @property
    def drawn(self) -> dict:
        return json.loads(self.scripts[0])


def page_of(run: Path, paths: SpotPaths = NO_SPOT) -> str:
    recorded = read_run(run)
    return report(recorded, positions_of(recorded.trades), paths).html


def test_every_trade_stands_in_the_table_as_in_the_file(tmp_path: Path) -> None:
    html = page_of(write_run(tmp_path / "run", TRADES))
    rows = [" | ".join(row) for row in Page(html).cells if row[0].startswith("NIFTY-2025112")]
    assert rows == [
        "NIFTY-20251120-0001 | alpha | 26000 CE 25 Nov | 75 | 10:00:00 | 120.50"
        " | 10:30:00 | 138.00 | 30.0 | TARGET | 100.01 | 50.00 | 50.01",
        "NIFTY-20251120-0002 | alpha | 26000 CE 20 Nov | 75 | 09:59:59 | 120.50"
        " | 10:30:00 | 138.00 | 30.0 | STOP | −200.00 | 50.00 | −250.00",
        "NIFTY-20251120-0003 | beta | +26000 CE 25 Nov, −26050 CE 25 Nov | 75, 75 | 14:45:00"
        " | 120.50, 120.50 | 15:00:00 | 138.00, 138.00 | 15.0 | EOD | −6.00 | 1.00 | −7.00",
        "NIFTY-20251121-0004 | alpha | 26000 CE 21 Nov | 75 | 10:00:00 | 120.50"
        " | 10:30:00 | 138.00 | 30.0 | TARGET * | 40.00 | 40.00 | 0.00",
    ]


def test_money_is_said_in_rupees_with_indian_grouping(tmp_path: Path) -> None:
    trade = Trade((1_234_567_89,), (5_000,))
    words = Page(page_of(write_run(tmp_path / "run", [trade]))).words
    assert "₹12,34,517.89" in words
    assert "12,34,567.89" in words


def test_a_strategys_name_cannot_become_markup(tmp_path: Path) -> None:
    trades = [replace(trade, strategy=HOSTILE) for trade in TRADES]
    told = Recorded(
        strategies=(HOSTILE,),
        notes=(f"{HOSTILE} stays silent",),
        refused={HOSTILE: 2},
        settings=f"[walk]\n'note' = {json.dumps(HOSTILE)}\n[{json.dumps(HOSTILE)}]\nx = 1\n",
    )
    run = write_run(tmp_path / "<i>", trades, told)
    paths = SpotPaths({DAY: random_path(1)}, {trade_day(trades[3]): HOSTILE})
    html = page_of(run, paths)
    page = Page(html)
    assert page.tags("img") == page.tags("i") == []
    assert len(page.scripts) == 4
    assert page.drawn["strategies"] == [HOSTILE]
    assert page.words.count(HOSTILE) >= 10
    assert html.count("</script") == 4


def trade_day(trade: Trade):
    return np.datetime64(trade.day).item()


def test_no_script_may_run_but_the_pages_own(tmp_path: Path) -> None:
    page = Page(page_of(write_run(tmp_path / "run", TRADES)))
    (policy,) = [m["content"] for m in page.tags("meta") if "http-equiv" in m]
    digests = [hashlib.sha256(s.encode()).digest() for s in page.scripts[1:]]
    hashes = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    assert policy == (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"style-src 'unsafe-inline'; script-src {hashes}"
    )
    assert "unsafe-eval" not in policy
    outward = [a for _, a in page.elements if {"src", "srcset", "action"} & set(a)]
    assert outward == page.tags("link") == page.tags("iframe") == []
    assert {str(a["href"])[0] for a in page.tags("a")} == {"#"}


def test_a_big_run_stays_small_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    days = np.arange("2024-11-20", "2025-11-19", dtype="datetime64[D]").tolist()
    rng = np.random.default_rng(5)
    net = rng.integers(-500_000, 500_000, 20_000).tolist()
    trades = [
        Trade(
            gross=(amount, 0, 0, 0),
            charges=(5_000, 0, 0, 0),
            sides=(1, -1, 1, -1),
            day=f"{days[number * len(days) // 20_000]}",
            entered=f"{10 + number % 5}:{number % 60:02d}:00",
            left="15:12:00",
            strategy=f"a_strategy_with_a_long_name_{number % 8}",
        )
        for number, amount in enumerate(net)
    ]
    recorded = read_run(write_run(tmp_path / "run", trades, Recorded(days=len(days))))
    paths = SpotPaths({day: random_path(number) for number, day in enumerate(days)}, {})
    written = report(recorded, positions_of(recorded.trades), paths)
    assert len(written.html.encode()) < LIMIT
    left = written.left_out
    assert left.trades == 20_000 - LINES
    sizes = sorted(abs(amount - 5_000) for amount in net)
    assert left.largest == sizes[20_000 - LINES - 1]
    page = Page(written.html)
    rows = [row for row in page.cells if row[0].startswith("NIFTY-")]
    shown = sum(round(float(row[-1].replace(",", "").replace("−", "-")) * 100) for row in rows)
    assert len(rows) == LINES
    assert shown + left.net == sum(net) - 5_000 * 20_000
    assert "Left out: 18,000 trades" in page.words
    assert f"Drawn are {charts.DAYS} of the {len(days)} days" in page.words
    assert max(len(day["trades"]) for day in page.drawn["days"]) <= charts.TRADES_A_DAY


def test_the_equity_chart_ends_at_the_runs_net(tmp_path: Path) -> None:
    drawn = Page(page_of(write_run(tmp_path / "run", TRADES))).drawn["equity"]
    assert drawn == {
        "days": [["2025-11-20", 555.0, 930.0], ["2025-11-21", 555.0, 930.0]],
        "day": [0, 0, 0, 1, 1],
        "minute": [555.0, 630.0, 900.0, 630.0, 930.0],  # two exits of one moment are one step
        "equity": [0.0, -199.99, -206.99, -206.99, -206.99],
        "drawdown": [0.0, -199.99, -206.99, -206.99, -206.99],
    }


def test_a_days_chart_holds_its_trades_where_the_index_was(tmp_path: Path) -> None:
    path = random_path(1)
    html = page_of(write_run(tmp_path / "run", TRADES), SpotPaths({DAY: path}, {}))
    (day,) = Page(html).drawn["days"]
    at = dict(zip(np.round(path.minute, 2).tolist(), np.round(path.level, 2).tolist(), strict=True))
    assert dict(zip(day["minute"], day["level"], strict=True)) == at
    first = [0, 600.0, at[600.0], 630.0, at[630.0], 50.01, "TARGET", "26000 CE 25 Nov"]
    assert day["trades"][0] == first
    assert (day["date"], day["of"], day["net"], len(day["trades"])) == ("2025-11-20", 3, -206.99, 3)


def test_without_the_store_the_page_says_so_and_keeps_the_rest(tmp_path: Path) -> None:
    told = Recorded(store=tmp_path / "gone")
    run = write_run(tmp_path / "run", TRADES, told)
    assert main(["report", str(run)]) == 0
    page = Page((run / "report.html").read_text("utf-8"))
    assert f"the store {tmp_path / 'gone'} is not there any more" in page.words
    assert page.drawn["days"] == []
    assert "By strategy" in page.words
    assert "−206.99" in page.words


def test_a_day_stored_anew_is_not_drawn_as_if_it_were_the_runs(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store_simulation(Simulation(days=1, seed=5), store)
    told = Recorded(store=store.root)
    same = [Trade(day="2025-01-01", entered="10:00:00"), Trade(day="2025-01-02")]
    run = read_run(write_run(tmp_path / "same", same, told))
    paths = read_paths(run.store, "NIFTY", positions_of(run.trades))
    assert list(paths.by_date) == [trade_day(same[0])]
    (note,) = paths.notes
    assert note.startswith("no spot for 2025-01-02: ")
    assert note in Page(report(run, positions_of(run.trades), paths).html).words
    other = [Trade(day="2025-01-01", entered="10:00:30")]
    run = read_run(write_run(tmp_path / "other", other, told))
    paths = read_paths(run.store, "NIFTY", positions_of(run.trades))
    assert "stored anew" in paths.missing[trade_day(other[0])]
    assert "as the run saw them" in paths.trouble


def test_spread_and_its_absence(tmp_path: Path) -> None:
    without = Page(page_of(write_run(tmp_path / "old", TRADES))).words
    assert "not recorded by this run" in without
    told = Recorded(half_spreads=(0.25, 0.05))
    words = Page(page_of(write_run(tmp_path / "new", TRADES, told))).words
    assert "not recorded" not in words
    assert "93.75" in words  # five legs of 75 units at 0.25
    assert "46.51" in words  # gross -65.99 and 112.50 of half spreads


def test_few_trades_are_marked_and_many_are_not(tmp_path: Path) -> None:
    ten = [Trade() for _ in range(10)]
    page = Page(page_of(write_run(tmp_path / "run", [*ten, Trade(strategy="beta")])))
    names = [row[0] for row in page.cells]
    assert "beta few" in names
    assert "alpha" in names
    assert "alpha few" not in names


def test_a_run_without_trades_has_a_page_too(tmp_path: Path) -> None:
    words = Page(page_of(write_run(tmp_path / "run", [], Recorded(refused={"hours": 3})))).words
    assert "This run made no trade" in words
    assert "nan" not in words.lower()


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", TRADES)
    assert page_of(run) == page_of(run)


@pytest.mark.skipif(shutil.which("tidy") is None, reason="no tidy installed (Debian: tidy)")
@pytest.mark.parametrize("kind", ["plain", "hostile", "empty", "full"])
def test_the_page_is_valid_html(kind: str, tmp_path: Path) -> None:
    trades = {"hostile": [Trade(strategy=HOSTILE)], "empty": []}.get(kind, list(TRADES))
    told = Recorded(
        notes=("a note",) if kind == "full" else (),
        refused={"hours": 2} if kind == "full" else {},
        half_spreads=(0.1, 0.1) if kind == "full" else None,
    )
    paths = SpotPaths({DAY: random_path(1)}, {}) if kind == "full" else NO_SPOT
    page = tmp_path / "page.html"
    page.write_text(page_of(write_run(tmp_path / "run", trades, told), paths), "utf-8")
    done = subprocess.run(["tidy", "-e", "-q", "-utf8", page], capture_output=True, check=False)
    assert done.stderr.decode() == ""


def test_a_run_is_found_by_path_by_name_and_as_the_latest(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    with pytest.raises(MissingDataError, match="no run in"):
        find_run(None, runs)
    first = write_run(runs / "first-gamma", TRADES)
    second = write_run(runs / "second", TRADES)
    write_run(runs / ".third.partial", TRADES)  # what a killed backtest leaves
    assert find_run(str(first), runs) == find_run("first-gamma", runs) == first
    assert find_run(None, runs) == second
    with pytest.raises(InputError, match="no run first-gama") as refusal:
        find_run("first-gama", runs)
    assert refusal.value.hint == "did you mean first-gamma?"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def reword(path: Path, key: str) -> None:
    summary = json.loads(path.read_text())
    del summary[key]
    path.write_text(json.dumps(summary))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda run: cut(run / "trades.parquet"), "trades.parquet cannot be read"),
        (lambda run: cut(run / "decisions.parquet"), "decisions.parquet cannot be read"),
        (lambda run: (run / "equity.parquet").unlink(), "equity.parquet is missing"),
        (lambda run: cut(run / "summary.json"), "summary.json cannot be read"),
        (lambda run: (run / "summary.json").write_text("[]"), "summary.json is no object"),
        (lambda run: reword(run / "summary.json", "charges"), "summary.json has no charges"),
        (lambda run: (run / "config.toml").write_text("x"), "config.toml cannot be read"),
        (
            lambda run: shutil.copy(run / "equity.parquet", run / "trades.parquet"),
            "trades.parquet has no column trade_id",
        ),
    ],
)
def test_a_damaged_run_is_one_line_and_status_3(damage, said, tmp_path, capsys) -> None:
    run = write_run(tmp_path / "run", TRADES)
    damage(run)
    assert main(["report", str(run)]) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert said in told.err
    assert not (run / "report.html").exists()


@pytest.mark.parametrize("file", ["trades", "equity", "decisions", "summary"])
def test_files_that_disagree_are_damage(file: str, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", TRADES)
    other = write_run(tmp_path / "other", TRADES[:2])
    name = f"{file}.json" if file == "summary" else f"{file}.parquet"
    shutil.copy(other / name, run / name)
    with pytest.raises(DamagedError, match="in one of its files and"):
        read_run(run)


def test_fills_of_another_run_are_damage(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", TRADES)
    other = write_run(tmp_path / "other", TRADES[:2], Recorded(half_spreads=(0.1, 0.1)))
    shutil.copy(other / "fills.parquet", run / "fills.parquet")
    with pytest.raises(DamagedError, match="about other trades"):
        read_run(run)


def test_the_command_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, page = write_run(tmp_path / "run", TRADES), tmp_path / "deep" / "page.html"
    assert main(["report", str(run), "--out", str(page), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {
        "ok": True,
        "run": str(run),
        "page": str(page),
        "bytes": page.stat().st_size,
        "trades": 4,
        "trades_left_out": 0,
        "notes": ["the run's config.toml names no store"],
    }


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path, capsys) -> None:
    run, file = write_run(tmp_path / "run", TRADES), tmp_path / "file"
    file.write_text("")
    assert main(["report", str(run), "--out", str(file / "page.html")]) == 73
    assert capsys.readouterr().err.count("\n") == 1


def test_the_library_is_the_one_its_version_file_names() -> None:
    folder = ROOT / "optiq" / "report" / "uplot"
    told = (folder / "VERSION").read_text().split("sha256\n")[1].split()
    for digest, name in zip(told[::2], told[1::2], strict=True):
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert "MIT License" in (folder / "LICENSE").read_text()


def test_the_page_carries_the_librarys_licence(tmp_path: Path) -> None:
    html = page_of(write_run(tmp_path / "run", TRADES))
    assert (ROOT / "optiq" / "report" / "uplot" / "LICENSE").read_text().strip() in html


def test_everything_the_page_is_made_of_is_shipped() -> None:
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    shipped = patterns["package-data"]["*"]
    folder = ROOT / "optiq" / "report"
    files = [f for f in folder.rglob("*") if f.is_file() and f.suffix not in (".py", ".pyc")]
    assert len(files) >= 8
    for file in files:
        name = file.relative_to(folder).as_posix()
        assert any(fnmatch(name, pattern) for pattern in shipped), name
