"""A whole audit of a table, and what it writes."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest
from tests.cli.running import ONE_THREAD, Runner

pytest.importorskip("cleanlab", reason="cleanlab is not installed")
GOOD, BAD = ("good great fine lovely", "bad poor dull awful")
NASTY = "<script>alert(1)</script> is markup"


def write(path: Path, rows: list[tuple[str, str]]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.mkdir()
    train = [
        (f"a {word} film number {row}", "pos" if words is GOOD else "neg")
        for row in range(5)
        for words in (GOOD, BAD)
        for word in words.split()
    ]
    train += [
        ("What a truly wonderful story!", "pos"),
        ("what a truly wonderful STORY", "neg"),
        ("?!", "neg"),
        (NASTY, "neg"),
        ("word " * 200, "neg"),
    ]
    write(made / "train.csv", train)
    write(made / "test.csv", [("What a truly wonderful story", "pos"), ("another thing entirely", "neg")])
    return made


def test_everything_is_found_and_written(albertkit: Runner, folder: Path, tmp_path: Path) -> None:
    done = albertkit("audit", folder, "--out", tmp_path / "out", "--json", *ONE_THREAD)
    assert done.status == 0, done.err
    found = done.json
    assert found["rows"] == {"train": 45, "test": 2}
    assert found["balance"]["train"] == {"pos": 21, "neg": 24}
    assert [(one["split"], one["row"]) for one in found["empty"]] == [("train", 42)]
    assert [(one["row"], one["unread_tokens"]) for one in found["cut"]] == [(44, 74)]
    [group] = [one for one in found["duplicates"] if one["labels_differ"]]
    assert [one["row"] for one in group["rows"]] == [40, 41]
    [leak] = [one for one in found["leaks"] if one["same_text"]]
    assert (leak["split"], leak["row"], leak["other"]["split"], leak["other"]["row"]) == ("train", 40, "test", 0)
    assert set(found) >= {"label_errors", "outliers", "notes", "seconds", "model", "task", "data"}
    assert json.loads((tmp_path / "out" / "audit.json").read_text()) == found
    with open(tmp_path / "out" / "suspects.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["row"] for row in rows if row["reason"] == "duplicates with different labels"] == ["40", "41"]
    page = (tmp_path / "out" / "audit.html").read_text(encoding="utf-8")
    assert "What a truly wonderful story!" in page
    assert "<script" not in page


def test_the_terminal_shows_the_counts(albertkit: Runner, folder: Path) -> None:
    done = albertkit("audit", folder, "--split", "train", *ONE_THREAD)
    assert done.status == 0, done.err
    assert "groups of duplicates" in done.out
    assert "train: neg 24, pos 21" in done.out


def test_numbers_have_no_label_errors(albertkit: Runner, tmp_path: Path) -> None:
    write(tmp_path / "scores.csv", [("a fine film", "0.5"), ("a poor film", "1.5"), ("no film", "3")])
    done = albertkit("audit", tmp_path / "scores.csv", "--json", *ONE_THREAD)
    assert done.json["label_errors"] == []
    assert done.json["notes"] == ["label errors are looked for in classification only; this is regression"]


def test_what_cannot_be_audited_is_refused(
    albertkit: Runner, monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path
) -> None:
    assert albertkit("audit", folder, "--split", "dev").status != 0
    (tmp_path / "tags.conll").write_text("Ada B-PER\nwrote O\n\n")
    refused = albertkit("audit", tmp_path / "tags.conll")
    assert (refused.status, refused.out) == (2, "")
    assert "audit looks at texts with labels or numbers" in refused.err
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    assert "albertkit[audit]" in albertkit("audit", folder).failure()
