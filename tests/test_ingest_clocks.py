"""Which zone a feed's stamps are in, and which stamps are one snapshot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chains import DAY, quotes, write
from ingests import add, counts

from optiq.market.ingest.clock import snapshot_times
from optiq.market.schema import AnyArray
from optiq.market.store import Store


def test_naive_utc_is_told_from_the_hours(store: Store, tmp_path: Path) -> None:
    table = quotes(minutes=8, start="04:09")
    add(store, write(table, tmp_path / "in" / "a.csv"))
    assert f"{store.manifest('NIFTY', DAY).first_ist:%H:%M}" == "09:39"


def test_a_morning_that_may_be_either_is_refused(store: Store, tmp_path: Path) -> None:
    path = write(quotes(minutes=3, start="09:30"), tmp_path / "in" / "a.csv")
    later = write(quotes(minutes=1, start="09:40"), tmp_path / "in" / "b.csv")
    first, second = add(store, path, later).failed
    assert "2025-11-20T09:30" in str(first)
    assert "--tz" in first.hint
    assert later in str(second)
    assert add(store, path, tz="UTC").rows_kept == 18
    assert f"{store.manifest('NIFTY', DAY).first_ist:%H:%M}" == "15:00"


def test_files_of_one_feed_settle_each_others_zone(store: Store, tmp_path: Path) -> None:
    write(quotes(minutes=2, start="09:30"), tmp_path / "in" / "a.csv")
    write(quotes(minutes=2, start="10:30"), tmp_path / "in" / "b.csv")
    report = add(store, tmp_path / "in")
    assert (report.rows_kept, report.failed) == (24, ())
    assert f"{store.manifest('NIFTY', DAY).first_ist:%H:%M}" == "09:30"


def test_a_recorder_that_runs_all_night_is_judged_by_when_its_quotes_change(
    store: Store, tmp_path: Path
) -> None:
    night = quotes(minutes=1, start="03:50")
    copies = [
        night.assign(timestamp=night.timestamp + pd.Timedelta(minutes=5 * step))
        for step in range(60)  # 03:50 to 08:45, all in the session if they were UTC
    ]
    live = quotes(minutes=30, start="11:00")
    report = add(store, write(pd.concat([*copies, live]), tmp_path / "in" / "a.csv"))
    assert (report.rows_kept, report.quarantined) == (30 * 6, 60 * 6)
    assert f"{store.manifest('NIFTY', DAY).first_ist:%H:%M}" == "11:00"


def test_stamps_with_a_zone_need_no_telling(store: Store, tmp_path: Path) -> None:
    table = quotes(minutes=2, start="09:30")
    zoned = table.assign(timestamp=table.timestamp.dt.strftime("%Y-%m-%dT%H:%M:%S+05:30"))
    assert add(store, write(zoned, tmp_path / "in" / "a.csv")).rows_kept == 12
    assert f"{store.manifest('NIFTY', DAY).first_ist:%H:%M}" == "09:30"


def times(*seconds: float) -> AnyArray:
    start = np.datetime64("2025-11-20T05:00:00", "us")
    return start + np.array([round(s * 1e6) for s in seconds]).astype("timedelta64[us]")


@pytest.mark.parametrize(
    ("stamps", "contract", "expected"),
    [
        ((0, 0, 60, 60), (1, 2, 1, 2), (0, 0, 60, 60)),  # snapshots already
        ((0, 20, 45), (1, 2, 3), (45, 45, 45)),  # one slow poll: nothing quoted twice
        ((0, 0.2, 60, 60.3), (1, 2, 1, 2), (0.2, 0.2, 60.3, 60.3)),  # two polls
        ((0.1, 0.4, 0.9, 1.0, 1.2), (1, 1, 2, 1, 1), (1, 1, 1, 1, 2)),  # ticks: ends of seconds
        ((0, 3, 6), (1, 1, 1), (0, 3, 6)),  # a three-second feed is no tick feed
    ],
)
def test_quotes_of_one_poll_share_its_latest_time(
    stamps: tuple[float, ...], contract: tuple[int, ...], expected: tuple[float, ...]
) -> None:
    found = snapshot_times(times(*stamps), np.array(contract))
    assert found.tolist() == times(*expected).tolist()


def test_the_last_tick_of_a_second_wins(store: Store, tmp_path: Path) -> None:
    base = quotes(minutes=1, strikes=(26000,), start="11:00")
    ticks = [
        base.assign(timestamp=base.timestamp + pd.Timedelta(milliseconds=300 * step), ltp=60 + step)
        for step in range(1, 7)  # 0.3 to 1.8 seconds
    ]
    table = pd.concat(ticks)
    table["timestamp"] = table.timestamp.dt.strftime("%Y-%m-%d %H:%M:%S.%f")
    report = add(store, write(table, tmp_path / "in" / "a.csv"), tz="IST")
    assert counts(report) == (12, 4, 8, 0)
    panel = store.read_panel("NIFTY", DAY)
    assert panel.ltp[:, 0].tolist() == [63.0, 66.0]
    assert panel.minute.tolist() == pytest.approx([660 + 1 / 60, 660 + 2 / 60])


def test_a_file_without_a_readable_time_is_refused_as_that(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "quoted.csv"
    path.write_text(
        "timestamp,expiry,strike,option_type,ltp\n"
        '"2025-11-20 10:00:00,2025-11-25,26000,CE,100\n"x,2025-11-25,26000,PE,100\n'
    )
    report = add(store, path, underlying="NIFTY")
    (refused,) = report.failed
    assert "quoted.csv: not one of its rows has a time that can be read" in str(refused)


def test_a_line_end_inside_the_header_is_damage_in_one_line(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "torn.csv"
    path.write_bytes(
        b"timestamp,expiry,strike,option_type\r,ltp\n2025-11-20 10:00:00,2025-11-25,26000,CE,100\n"
    )
    (refused,) = add(store, path, underlying="NIFTY").failed
    assert "torn.csv: its header line is damaged" in str(refused)
