"""A version that was trained elsewhere comes in as a candidate, or not at all."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import lightgbm
import numpy as np
import pytest
import torch
from small_models import NOW, card

from optiq.cli.app import main
from optiq.learn import registry
from optiq.learn.version_folder import CARD, MANIFEST


def trees() -> bytes:
    rows = np.random.default_rng(0).standard_normal((300, 4))
    data = lightgbm.Dataset(rows, rows[:, 0] > 0)
    settings = {"objective": "binary", "num_leaves": 7, "verbose": -1, "num_threads": 1}
    return lightgbm.train(settings, data, 5).model_to_string().encode()


def weights() -> bytes:
    held = io.BytesIO()
    torch.save({"layer.weight": torch.ones(2, 3)}, held)
    return held.getvalue()


def elsewhere(root: Path, **files: bytes) -> Path:
    """Store a version in another registry, and return its folder moved to some other place."""
    named = {name.replace("_", "."): content for name, content in files.items()}
    version = registry.save(root / "theirs", "scorer", named, card(), now=NOW)
    return shutil.copytree(root / "theirs" / "scorer" / version, root / "downloads" / "scorer 1")


def add(root: Path, folder: Path) -> int:
    return main(["models", "add", str(folder), "--models", str(root / "models"), "--json"])


def test_it_comes_in_as_a_candidate_with_its_card_and_files(tmp_path, capsys):
    folder = elsewhere(tmp_path, trees_txt=trees(), actor_pt=weights(), features_json=b"[]")
    assert add(tmp_path, folder) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"ok": True, "kind": "scorer", "version": "1.0.0", "promoted": False}
    stored = registry.load(tmp_path / "models", "scorer", "candidate")
    theirs = registry.load(tmp_path / "theirs", "scorer", "candidate")
    assert stored.files == theirs.files
    assert stored.card["figures"] == theirs.card["figures"]
    assert stored.card["adopted"] == {"version": "1.0.0", "created": theirs.card["created"]}
    assert registry.aliases(tmp_path / "models", "scorer")["champion"] is None


def test_what_would_end_the_parser_never_comes_in(tmp_path, capsys):
    """Its hashes are right: somebody stored a damaged text."""
    lines = trees().splitlines()
    del lines[lines.index(b"Tree=1") + 2 : lines.index(b"Tree=1") + 6]
    folder = elsewhere(tmp_path, trees_txt=b"\n".join(lines))
    assert add(tmp_path, folder) == 3
    assert (
        "trees.txt: model file damaged" in json.loads(capsys.readouterr().out)["error"]["message"]
    )
    assert registry.versions(tmp_path / "models", "scorer") == []


def test_weights_that_would_run_code_never_come_in(tmp_path, capsys):
    class Runs:
        def __reduce__(self):
            return Path.touch, (tmp_path / "canary",)

    held = io.BytesIO()
    torch.save({"layer": Runs()}, held)
    assert add(tmp_path, elsewhere(tmp_path, actor_pt=held.getvalue())) == 3
    assert "actor.pt: model file damaged" in json.loads(capsys.readouterr().out)["error"]["message"]
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    ("file", "content", "status", "said"),
    [
        (CARD, b"not json", 3, "is not the card of a model"),
        (CARD, b'{"kind": "scorer", "version": "1.0.0"}', 3, "card.json is not what was written"),
        (CARD, b'{"kind": "toaster", "version": "1.0.0"}', 3, "card.json is not what was written"),
        (CARD, None, 10, "no version of a model in"),
        (MANIFEST, None, 3, "cannot read"),
        ("features.json", b"[1]", 3, "features.json is not what was written"),
    ],
)
def test_what_is_not_whole_is_refused_in_one_line(tmp_path, capsys, file, content, status, said):
    folder = elsewhere(tmp_path, features_json=b"[]")
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_bytes(content)
    assert add(tmp_path, folder) == status
    told = json.loads(capsys.readouterr().out)
    assert said in told["error"]["message"]
    assert "\n" not in told["error"]["message"]
