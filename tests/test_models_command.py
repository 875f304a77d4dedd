"""``optiq models``: what a person and a program see of the registry, and with which status."""

from __future__ import annotations

import datetime as dt
import json
import pickle
import random
from pathlib import Path

import pytest
from small_models import promote, save
from test_registry_damage import damage

from optiq.cli.app import main
from optiq.learn import registry
from optiq.market.durable import held
from optiq.market.manifest import DayManifest, DayPlace


class Bomb:
    """Unpickled, it leaves a file."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self):
        return Path.touch, (self.canary,)


def told(capsys) -> dict:
    return json.loads(capsys.readouterr().out)


def test_where_there_is_no_model_there_is_no_number(tmp_path, capsys):
    for kind in registry.KINDS:
        assert main(["models", "show", kind, "--models", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert said.count("accuracy: not measured out of sample") == 3
    assert "%" not in said
    assert main(["models", "ls", "--models", str(tmp_path)]) == 0
    assert "No models yet" in capsys.readouterr().out
    assert main(["models", "show", "scorer", "--models", str(tmp_path), "--json"]) == 0
    assert told(capsys) == {"ok": True, "kind": "scorer", "version": None, "card": None}
    assert list(tmp_path.iterdir()) == []


def test_a_card_without_figures_says_that_none_was_measured(tmp_path, capsys):
    save(tmp_path, figures=[], baselines={}, tables={})
    assert main(["models", "show", "scorer", "--models", str(tmp_path)]) == 0
    assert "accuracy: not measured out of sample" in capsys.readouterr().out
    main(["models", "ls", "--models", str(tmp_path)])
    assert "not measured out of sample" in " ".join(capsys.readouterr().out.split())


def test_a_model_is_shown_with_its_intervals_evidence_and_baselines(tmp_path, capsys):
    save(tmp_path)
    assert main(["models", "show", "scorer", "--models", str(tmp_path)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    for words in (
        "0.541",
        "0.519 to 0.563",
        "moneyness only",
        "54,000 rows of 24 sessions, 2025-10-14 to 2025-11-20",
        "Not investment advice.",
    ):
        assert words in said


def test_ls_names_who_serves_and_what_is_damaged(tmp_path, capsys):
    save(tmp_path), save(tmp_path), promote(tmp_path, "1.0.0", "2025-11-21")
    (tmp_path / "scorer" / "1.0.1" / "model.txt").write_text("tree")
    assert main(["models", "ls", "--models", str(tmp_path), "--json"]) == 0
    one, other = told(capsys)["models"]
    assert (one["alias"], one["serves_from"], one["fault"]) == ("champion", "2025-11-21", "")
    assert one["first_figure"]["interval"]["value"] == 0.541
    assert other["fault"] == "scorer 1.0.1: model.txt is not what was written"


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_model_is_one_line_and_status_3(tmp_path, capsys, seed):
    save(tmp_path)
    paths = sorted((tmp_path / "scorer" / "1.0.0").iterdir())
    damage(paths[seed % len(paths)], random.Random(seed))
    assert main(["models", "show", "scorer", "1.0.0", "--models", str(tmp_path)]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    by_force = ["models", "promote", "scorer", "--force", "--reason", "x"]
    assert main([*by_force, "--models", str(tmp_path)]) == 3
    assert registry.promotions(tmp_path, "scorer") == ()


def test_an_edited_figure_is_found(tmp_path, capsys):
    save(tmp_path)
    assert main(["models", "verify", "--models", str(tmp_path)]) == 0
    path = tmp_path / "scorer" / "1.0.0" / "card.json"
    path.write_text(path.read_text().replace("0.541", "0.834"))
    capsys.readouterr()
    assert main(["models", "verify", "--models", str(tmp_path)]) == 3
    assert "card.json is not what was written" in " ".join(capsys.readouterr().out.split())
    assert main(["models", "verify", "--models", str(tmp_path), "--json"]) == 3
    result = told(capsys)
    assert result["error"]["code"] == "damaged"
    assert result["faults"] == 1


@pytest.mark.parametrize("lost", ["1.0.0", "lockbox.jsonl", "trials.jsonl", "verdicts.jsonl"])
def test_what_the_pointer_or_a_ledger_needs_is_verified_too(tmp_path, lost):
    save(tmp_path), promote(tmp_path, "1.0.0", "2025-11-21")
    path = tmp_path / "scorer" / lost
    if path.is_dir():
        path.rename(tmp_path / "elsewhere")
    else:
        path.write_text('{"time": 1}\n')
    assert main(["models", "verify", "scorer", "--models", str(tmp_path)]) == 3


def list_day(root: Path, date: dt.date) -> None:
    """Let a store list a day: the gate counts sessions by their manifests alone."""
    place = DayPlace(root, "NIFTY", date)
    moment = f"{date}T03:45:00+00:00"
    day = DayManifest("NIFTY", date, 1, 1, 1, 1, (), moment, moment, True, "x")
    place.manifest.parent.mkdir(parents=True, exist_ok=True)
    place.manifest.write_text(day.to_json())


def test_too_few_unseen_sessions_are_refused_with_how_many_more(tmp_path, store, capsys):
    models = tmp_path / "models"
    for day in (20, 21):
        list_day(store.root, dt.date(2025, 11, day))
    save(models)
    where = ["--models", str(models), "--store", str(store.root)]
    assert main(["models", "promote", "scorer", *where]) == 4
    said = capsys.readouterr().err
    assert "scorer 1.0.0 not promoted: 1 < 20 unseen sessions" in said
    assert "about 19 more sessions are needed" in said
    assert main(["models", "promote", "scorer", *where, "--json"]) == 4
    result = told(capsys)
    assert (result["promoted"], result["verdict"]["sessions_needed"]) == (False, 19)
    assert registry.at(models, "scorer", dt.date(2025, 12, 1)) is None


def test_force_needs_a_reason_and_both_are_written_down(tmp_path, capsys):
    save(tmp_path)
    where = ["--models", str(tmp_path), "--store", str(tmp_path / "none")]
    assert main(["models", "promote", "scorer", "--force", *where]) == 2
    assert main(["models", "promote", "scorer", "--force", "--reason", "a drill", *where]) == 0
    (done,) = registry.promotions(tmp_path, "scorer")
    assert (done.forced, done.reason, done.takes_effect) == (True, "a drill", dt.date(2025, 11, 21))
    assert main(["models", "promote", "scorer", "1.0.0", *where]) == 2
    capsys.readouterr()
    main(["models", "show", "scorer", *where[:2]])
    assert "by force: a drill" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("lock", [".gate", ".lock"])
def test_of_two_promotions_at_once_one_is_told_to_wait(tmp_path, capsys, lock):
    save(tmp_path)
    by_force = ["models", "promote", "scorer", "--force", "--reason", "x"]
    with held(tmp_path / "scorer" / lock, "", ""):
        assert main([*by_force, "--models", str(tmp_path)]) == 75
    assert registry.promotions(tmp_path, "scorer") == ()
    assert main([*by_force, "--models", str(tmp_path)]) == 0


def test_rollback_returns_to_the_version_before(tmp_path, capsys):
    save(tmp_path), save(tmp_path)
    where = ["--models", str(tmp_path)]
    assert main(["models", "rollback", "scorer", *where]) == 10
    promote(tmp_path, "1.0.0", "2025-11-21"), promote(tmp_path, "1.0.1", "2025-12-01")
    capsys.readouterr()
    assert main(["models", "rollback", "scorer", "--reason", "it lost", *where, "--json"]) == 0
    assert told(capsys)["promotion"]["version"] == "1.0.0"
    assert registry.aliases(tmp_path, "scorer")["champion"] == "1.0.0"


def test_a_poisoned_pickle_anywhere_is_never_executed(tmp_path, capsys):
    models, canary = tmp_path / "models", tmp_path / "canary"
    save(models), promote(models, "1.0.0", "2025-11-21")
    save(models)
    for folder in (models, models / "scorer", models / "scorer" / "1.0.1"):
        for name in (
            "model.pkl",
            "model.joblib",
            "weights.pt",
            "card.json.pkl",
            "model.txt.pickle",
        ):
            (folder / name).write_bytes(pickle.dumps(Bomb(canary)))
    where = ["--models", str(models)]
    main(["models", "ls", *where])
    assert main(["models", "show", "scorer", "champion", *where]) == 0
    assert main(["models", "show", "scorer", "1.0.1", *where]) == 3
    assert main(["models", "verify", *where]) == 3
    assert main(["models", "promote", "scorer", "--force", "--reason", "x", *where]) == 3
    assert main(["models", "rollback", "scorer", *where]) == 10
    assert not canary.exists()
    pickle.loads((models / "model.pkl").read_bytes())
    assert canary.exists()  # it would have gone off
