"""The data set that comes with albertkit, against the published files."""

from __future__ import annotations

import hashlib
from collections import Counter
from importlib import resources
from pathlib import Path

import pytest

from albertkit.datasets import load_dataset, open_data
from albertkit.errors import DataError


def test_sizes_labels_and_no_snippet_in_two_splits() -> None:
    source = open_data("polarity")
    assert (source.task, source.labels, source.metrics) == ("classification", ("negative", "positive"), ("accuracy",))
    splits = {name: source.split(name) for name in source.splits}
    counts = {name: Counter(row.label for row in split) for name, split in splits.items()}
    assert counts == {"train": {0: 4265, 1: 4265}, "dev": {0: 533, 1: 533}, "test": {0: 533, 1: 533}}
    texts = [{" ".join(row.text.split()) for row in split} for split in splits.values()]
    assert not texts[0] & texts[1]
    assert not texts[0] & texts[2]
    assert not texts[1] & texts[2]
    assert len({row.id for split in splits.values() for row in split}) == 10_662


def test_the_splits_are_frozen() -> None:
    # Changing a split changes every score ever reported on it: it must be a decision, with a line in the changelog.
    digests = {
        split: hashlib.sha256("\n".join(row.text for row in load_dataset("polarity", split=split)).encode()).hexdigest()
        for split in ("train", "dev", "test")
    }
    assert {split: digest[:16] for split, digest in digests.items()} == {
        "train": "d8a3f283d77ba53b",
        "dev": "2ed66e06b6aebfda",
        "test": "1cf8d0e638861915",
    }


def test_any_beginning_sees_both_labels() -> None:
    assert 40 < sum(row.label == 1 for row in load_dataset("polarity").take(100)) < 60


def test_the_asset_is_small_and_carries_its_licence() -> None:
    assets = resources.files("albertkit") / "assets"
    assert len((assets / "polarity.tsv.gz").read_bytes()) < 600_000
    licence = (assets / "polarity.LICENSE.txt").read_text("utf-8")
    assert "CC BY 4.0" in licence
    assert "Pang" in licence


def test_the_shipped_snippets_are_the_published_ones(shared: Path) -> None:
    published = open_data("polarity", data_dir=shared / "data" / "glue_and_polarity.tar.xz")
    for split in published.splits:
        assert published.split(split) == load_dataset("polarity", split=split)


def test_three_rows_of_a_local_copy(tmp_path: Path) -> None:
    (tmp_path / "rt-polarity.neg").write_text("dull . \nlong .\n", "utf-8")
    with pytest.raises(DataError, match=r"rt-polarity\.pos not found under"):
        open_data("polarity", data_dir=tmp_path)
    (tmp_path / "rt-polarity.pos").write_text("fine . \n", "utf-8")
    rows = list(load_dataset("polarity", data_dir=tmp_path))
    assert {(row.text, row.label, row.id) for row in rows} == {
        ("dull .", 0, "negative/1"),
        ("long .", 0, "negative/2"),
        ("fine .", 1, "positive/1"),
    }


def test_equal_snippets_stay_in_one_split(tmp_path: Path) -> None:
    for kind in ("neg", "pos"):
        (tmp_path / f"rt-polarity.{kind}").write_text("".join(f"{kind} {i // 7}\n" for i in range(70)), "utf-8")
    source = open_data("polarity", data_dir=tmp_path)
    texts = [{row.text for row in source.split(split)} for split in source.splits]
    assert sum(len(part) for part in texts) == 20
    assert sum(len(source.split(split)) for split in source.splits) == 140
