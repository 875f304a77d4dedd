"""The page of a run in a real browser: drawn, sortable, silent, and readable on a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Tab, binary, browser
from runs import HOSTILE, Recorded, Trade, Window, write_choices, write_run

from optiq.cli.app import main
from optiq.cli.config import resolved_toml
from optiq.cli.settings import run_settings
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.run.stored import backtest_stored, sessions

pytestmark = pytest.mark.skipif(binary() is None, reason="no Chromium installed (Debian: chromium)")

PHONE = 375
CHARTS = ("equity", "drawdown", "path")
LEDGER = "[...document.querySelectorAll('#ledger tbody tr')]"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the report of three simulated days."""
    place = tmp_path_factory.mktemp("report")
    store = Store(place / "store")
    store_simulation(Simulation(days=3, seed=5), store)
    settings, strategies, resolved = run_settings(["gamma_scalping", "institutional_oi"], None, [])
    toml = resolved_toml(resolved, {"store": store.root})
    days = sessions(store, "NIFTY", None, None)
    backtest_stored(store, "NIFTY", days, strategies, settings, place / "run", toml)
    return written(place / "run")


def written(run: Path) -> Path:
    assert main(["report", str(run)]) == 0
    return run / "report.html"


@pytest.fixture(scope="module")
def hard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(hard_run(tmp_path_factory.mktemp("hard") / "run"))


def hard_run(place: Path) -> Path:
    """Write a run with long names, four legs, huge amounts and hostile text."""
    names = (HOSTILE, *(f"a_strategy_of_mine_with_a_rather_long_name_{n}" for n in range(9)))
    trades = [
        Trade(
            gross=(12_34_56_789_01, -99_99_999_99, 5, 5)[: 1 + number % 4],
            charges=(99_999_99, 5, 5, 5)[: 1 + number % 4],
            sides=(1, -1, 1, -1),
            strategy=names[number % len(names)],
            day="2025-11-20" if number < 15 else "2025-11-21",
            entered=f"10:{4 * (number % 15):02d}:59",
            waited_s=59.0,
            left=f"{11 + number % 4}:15:00",
        )
        for number in range(30)
    ]
    told = Recorded(
        strategies=names,
        notes=("a_note_without_a_space_" * 8,),
        refused={"strategy_max_open": 3, HOSTILE: 1},
        store=Path("/a/folder/with/a/long/name/that/is/not/there") / ("x" * 60),
    )
    run = write_run(place, trades, told)
    return write_choices(run, [*map(hard_window, range(30), trades)], policy="of_mine_" * 19)


def hard_window(number: int, trade: Trade) -> Window:
    """A decision for each trade, at its minute, by choosers with long names."""
    who = f"policy/{number}.999999.999999" if number % 2 else HOSTILE
    decided = f"{trade.entered[:6]}00"
    return Window(decided, trade.strategy, (trade.strategy,), trade.day, who)


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    with browser() as running:
        yield running.tab()


def colours(tab: Tab, chart: str, area: str = "0, 0, c.width, c.height") -> dict[str, int]:
    """Return how often each colour stands on a chart, as #rrggbb, what is see-through left out."""
    found = tab.ask(
        f"(c => {{ const d = c.getContext('2d').getImageData({area}).data; const n = {{}};"
        " for (let i = 0; i < d.length; i += 4) if (d[i + 3]) {"
        " const k = [d[i], d[i + 1], d[i + 2]].map(v => v.toString(16).padStart(2, '0')).join('');"
        " n['#' + k] = (n['#' + k] || 0) + 1; } return n; })"
        f"(document.querySelector('#{chart}-chart canvas'))"
    )
    assert isinstance(found, dict)
    return found


def theme(tab: Tab, name: str) -> str:
    return tab.ask(
        f"getComputedStyle(document.documentElement).getPropertyValue('--{name}').trim()"
    )


def test_the_charts_are_drawn_in_the_themes_colours(tab: Tab, page: Path) -> None:
    for dark in (False, True):
        tab.open(page, dark=dark)
        assert colours(tab, "equity")[theme(tab, "ink")] > 300
        assert colours(tab, "drawdown")[theme(tab, "loss")] > 300
        path = colours(tab, "path")
        assert path[theme(tab, "quiet")] > 300
        assert path[theme(tab, "gain")] > 30
        assert path[theme(tab, "loss")] > 30


def test_nothing_is_asked_for_and_nothing_complained_of(tab: Tab, page: Path, hard: Path) -> None:
    for file in (page, hard):
        tab.open(file)
        assert tab.requests == [file.as_uri()]
        assert tab.complaints == []
        assert tab.ask("document.images.length") == 0


def test_a_planted_request_and_a_planted_script_are_found(tab: Tab, page: Path) -> None:
    html = page.read_text("utf-8")
    image = page.with_name("image.html")
    image.write_text(
        re.sub("<meta http-equiv[^>]*>", "", html).replace(
            "</main>", "<img src='https://example.com/x.png' alt=''></main>"
        ),
        "utf-8",
    )
    tab.open(image)
    assert tab.requests == [image.as_uri(), "https://example.com/x.png"]
    assert len(tab.complaints) == 1
    script = page.with_name("script.html")
    script.write_text(html.replace("</main>", "<script>window.mine = 1</script></main>"), "utf-8")
    tab.open(script)
    assert tab.ask("typeof window.mine") == "undefined"  # the page's policy stops it
    assert len(tab.complaints) == 1


def heading(tab: Tab, text: str) -> str:
    """Return the selector of the button in a heading of the table of trades."""
    names = tab.ask("[...document.querySelectorAll('#ledger th')].map(th => th.innerText.trim())")
    return f"#ledger th:nth-child({names.index(text) + 1}) button"


def column(tab: Tab, place: str) -> list[str]:
    cells: list[str] = tab.ask(f"{LEDGER}.map(row => row.{place}.innerText)")
    return cells


def number(text: str) -> float:
    return float(text.replace(",", "").replace("−", "-"))


def test_a_click_sorts_the_trades(tab: Tab, page: Path) -> None:
    tab.open(page)
    net = heading(tab, "net ₹")
    nets = [number(text) for text in column(tab, "lastElementChild")]
    assert nets not in (sorted(nets), sorted(nets, reverse=True))
    tab.click(net)
    assert [number(text) for text in column(tab, "lastElementChild")] == sorted(nets, reverse=True)
    assert tab.ask("document.querySelector('#ledger th:last-child').ariaSort") == "descending"
    tab.click(net)
    assert [number(text) for text in column(tab, "lastElementChild")] == sorted(nets)
    ids = column(tab, "firstElementChild")
    assert ids != sorted(ids)
    tab.click(heading(tab, "trade"))
    assert column(tab, "firstElementChild") == sorted(ids)
    assert tab.ask("document.querySelectorAll('#ledger th[aria-sort]').length") == 1


def test_sorting_a_small_table_leaves_its_total_at_the_foot(tab: Tab, page: Path) -> None:
    tab.open(page)
    tab.click("#by-hour th:nth-child(6) button")
    rows = tab.ask("[...document.querySelectorAll('#by-hour tr')].map(r => r.cells[5].innerText)")
    nets = [number(text) for text in rows[1:-1]]
    assert len(nets) > 2
    assert nets == sorted(nets, reverse=True)
    assert tab.ask("document.querySelector('#by-hour tfoot th').innerText") == "all"


def test_the_day_chooser_changes_the_day(tab: Tab, page: Path) -> None:
    tab.open(page)
    read = "document.getElementById('path-readout').innerText"
    assert tab.ask("document.getElementById('day').options.length") == 3
    assert tab.ask("document.getElementById('day-before').disabled") is True
    seen, said = [colours(tab, "path")], [tab.ask(read)]
    for _ in range(2):
        tab.click("#day-after")
        seen.append(colours(tab, "path"))
        said.append(tab.ask(read))
    assert seen[0] != seen[1] != seen[2]
    assert len(set(said)) == 3
    assert tab.ask("document.getElementById('day-after').disabled") is True
    tab.ask("(d => { d.selectedIndex = 0; d.dispatchEvent(new Event('change')); })(day)")
    tab.settle()
    assert (colours(tab, "path"), tab.ask(read)) == (seen[0], said[0])


def test_the_legend_hides_a_strategys_trades(tab: Tab, page: Path) -> None:
    tab.open(page)
    for strategy in (1, 2):
        tab.click(f"#path-legend button:nth-child({strategy})")
    left = colours(tab, "path")
    assert not {theme(tab, "gain"), theme(tab, "loss")} & set(left)
    tab.click("#path-legend button:nth-child(1)")
    assert {theme(tab, "gain"), theme(tab, "loss")} & set(colours(tab, "path"))
    assert tab.ask("document.querySelectorAll('[aria-pressed=false]').length") == 1


def test_pointing_at_a_mark_reads_the_trade_in_indian_time(tab: Tab, page: Path) -> None:
    tab.open(page)
    tab.ask("document.getElementById('path-chart').scrollIntoView({block: 'center'})")
    x, y = tab.ask(
        "(() => { const c = document.querySelector('#path-chart canvas');"
        " const o = document.querySelector('#path-chart .u-over').getBoundingClientRect();"
        " const t = JSON.parse(document.getElementById('drawn').textContent).days[0];"
        " const m = (t.trades[0][1] - t.open) / (t.close - t.open);"
        " return [o.x + m * o.width, o.y + o.height / 2]; })()"
    )
    read = "document.getElementById('path-readout').innerText"
    drawn = "JSON.parse(document.getElementById('drawn').textContent)"
    contract, name = tab.ask(f"(d => [d.days[0].trades[0][7], d.strategies[0]])({drawn})")
    said = set()
    for step in range(-210, 211, 21):  # along the minute of the first entry
        tab.point(x, y + step)
        said.add(tab.ask(read))
    assert any(text.startswith(f"{name}, {contract}, 09:2") and "IST" in text for text in said), (
        said
    )
    assert any(re.match(r"Wed 1 Jan 2025, 09:2\d IST: 2\d,\d\d\d\.\d\d", text) for text in said)


def test_the_equity_readout_follows_the_mouse(tab: Tab, page: Path) -> None:
    tab.open(page)
    read = "document.getElementById('equity-readout').innerText"
    at_rest = tab.ask(read)
    assert at_rest.startswith("Fri 3 Jan 2025, 15:30 IST: net ")
    box = "document.querySelector('#equity-chart .u-over').getBoundingClientRect()"
    x, y = tab.ask(f"(r => [r.x + 4, r.y + 20])({box})")
    tab.point(x, y)
    assert tab.ask(read).startswith("Wed 1 Jan 2025, 09:")


@pytest.mark.parametrize("width", [PHONE, 320, 768, 1440])
def test_no_width_scrolls_sideways(width: int, tab: Tab, page: Path, hard: Path) -> None:
    for file in (page, hard):
        tab.open(file, width=width)
        assert tab.ask("document.documentElement.scrollWidth") == width
        wide = tab.ask("Math.max(...[...document.querySelectorAll('canvas')].map(c => c.width))")
        assert width / 2 < wide <= width


def test_a_page_made_narrow_draws_its_charts_anew(tab: Tab, page: Path) -> None:
    tab.open(page)
    assert tab.ask("document.querySelector('#equity-chart canvas').width") > 900
    tab.resize(PHONE)
    tab.settle()
    tab.settle()
    for chart in CHARTS:
        assert tab.ask(f"document.querySelectorAll('#{chart}-chart canvas').length") == 1
        assert tab.ask(f"document.querySelector('#{chart}-chart canvas').width") < PHONE
    assert tab.ask("document.documentElement.scrollWidth") == PHONE


@pytest.mark.parametrize("width", [PHONE, 1200])
def test_no_label_is_cut_off(width: int, tab: Tab, page: Path, hard: Path) -> None:
    for file in (page, hard):
        tab.open(file, width=width)
        for chart in CHARTS if file is page else CHARTS[:2]:
            assert colours(tab, chart, "0, 0, 1, c.height") == {}
            assert colours(tab, chart, "c.width - 1, 0, 1, c.height") == {}


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("dark", [False, True])
def test_words_stand_out_in_both_colour_schemes(dark: bool, tab: Tab, page: Path) -> None:
    tab.open(page, dark=dark)
    assert (luminance(theme(tab, "page")) < 0.05) is dark
    for word in ("ink", "quiet", "gain", "loss"):
        for ground in ("page", "card"):
            one, other = sorted(luminance(theme(tab, name)) for name in (word, ground))
            assert (other + 0.05) / (one + 0.05) >= 4.5, (word, ground)


def test_a_change_of_scheme_recolours_the_charts(tab: Tab, page: Path) -> None:
    tab.open(page)
    light = theme(tab, "ink")
    assert light in colours(tab, "equity")
    tab.scheme("dark")
    tab.settle()
    assert theme(tab, "ink") != light
    assert theme(tab, "ink") in colours(tab, "equity")
    assert light not in colours(tab, "equity")


def test_without_scripts_the_tables_are_all_there(tab: Tab, page: Path) -> None:
    tab.do("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.open(page, width=PHONE, settle=False)
        words = tab.ask("document.body.innerText")
        assert "the charts are not drawn" in words
        assert tab.ask("document.querySelectorAll('canvas, th button').length") == 0
        shown = "getComputedStyle(document.querySelector('.needs-script')).display"
        assert tab.ask(shown) == "none"
        assert len(column(tab, "lastElementChild")) > 30
        assert "By strategy" in words
    finally:
        tab.do("Emulation.setScriptExecutionDisabled", value=False)
