"""IMDB from its folder and from an archive, with its cache."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from albertkit.datasets import load_dataset, open_data
from albertkit.errors import DataError, UsageError
from albertkit.io.files import cache_folder

WriteArchive = Callable[[Path, dict[str, bytes]], Path]

REVIEWS = {
    f"aclImdb/{split}/{label}/{i}_{rating}.txt": f"{split} {label} caf\u00e9 <br /> {i}".encode()
    for split in ("train", "test")
    for label, rating in (("neg", 2), ("pos", 9))
    for i in range(3)
} | {"aclImdb/train/unsup/0_0.txt": b"not labelled", "aclImdb/test/urls_pos.txt": b"http://"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in REVIEWS.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def cached() -> list[Path]:
    return sorted(cache_folder("datasets").glob("imdb-*"))


@pytest.fixture(autouse=True)
def _no_cache(_own_cache: None) -> None:
    for path in cached():
        path.unlink()


def test_folder_and_its_parent(folder: Path) -> None:
    for place in (folder, folder / "aclImdb"):
        source = open_data("imdb", data_dir=place)
        assert (source.labels, source.splits) == (("neg", "pos"), ("train", "test"))
        data = source.split("test")
        assert {(row.id, row.label) for row in data} == {
            (f"test/{label}/{i}_{rating}", index)
            for index, (label, rating) in enumerate([("neg", 2), ("pos", 9)])
            for i in range(3)
        }
        assert data[0].text.startswith("test ")
        assert "caf\u00e9 <br />" in data[0].text


@pytest.mark.parametrize("name", ["aclImdb_v1.tar.gz", "imdb.tar.xz", "imdb.zip"])
def test_an_archive_equals_its_folder_and_is_read_once(
    folder: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, write_archive: WriteArchive
) -> None:
    archive = write_archive(tmp_path / name, REVIEWS)
    train = load_dataset("imdb", data_dir=archive)
    assert train.examples == load_dataset("imdb", data_dir=folder).examples
    assert len(cached()) == 2
    monkeypatch.setattr("albertkit.datasets.imdb.read_members", None)
    assert load_dataset("imdb", data_dir=archive).examples == train.examples
    assert len(load_dataset("imdb", data_dir=archive, split="test")) == 6


@pytest.mark.parametrize(
    "damage", [lambda b: b[: len(b) // 2], lambda b: b[:-9] + bytes(9), lambda b: b[:0], lambda b: b[:10] + b"{}"]
)
def test_a_corrupt_cache_is_rebuilt(tmp_path: Path, damage: object, write_archive: WriteArchive) -> None:
    archive = write_archive(tmp_path / "imdb.tar", REVIEWS)
    train = load_dataset("imdb", data_dir=archive)
    sound = [path.read_bytes() for path in cached()]
    for path in cached():
        path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    assert load_dataset("imdb", data_dir=archive) == train
    assert len([path.read_bytes() for path in cached()]) == len(sound)
    assert load_dataset("imdb", data_dir=archive) == train


def test_a_changed_archive_is_read_again_and_its_old_cache_goes(tmp_path: Path, write_archive: WriteArchive) -> None:
    archive = write_archive(tmp_path / "imdb.tar", REVIEWS)
    load_dataset("imdb", data_dir=archive)
    before = cached()
    write_archive(archive, {**REVIEWS, "aclImdb/train/pos/7_7.txt": b"one more"})
    os.utime(archive, ns=(1, 1))
    assert len(load_dataset("imdb", data_dir=archive)) == 7
    assert len(cached()) == 2
    assert not set(before) & set(cached())


def test_refusals(tmp_path: Path, write_archive: WriteArchive) -> None:
    with pytest.raises(UsageError, match="imdb does not come with albertkit: give --data-dir"):
        open_data("imdb")
    with pytest.raises(DataError, match=r"no folder aclImdb/train/neg and aclImdb/train/pos under"):
        open_data("imdb", data_dir=tmp_path)
    with pytest.raises(DataError, match="nowhere does not exist"):
        open_data("imdb", data_dir=tmp_path / "nowhere")
    archive = write_archive(tmp_path / "a.zip", {"other/file.txt": b""})
    with pytest.raises(DataError, match=r"holds no file train/pos/NUMBER_RATING.txt"):
        load_dataset("imdb", data_dir=archive)
    evil = write_archive(tmp_path / "evil.tar", {"../train/pos/1_9.txt": b"x"})
    with pytest.raises(DataError, match="points outside the archive"):
        load_dataset("imdb", data_dir=evil)
    with pytest.raises(UsageError, match=r'imdb has no split "dev".* available splits: train, test'):
        open_data("imdb", data_dir=archive).split("dev")


def test_a_review_that_is_not_utf8(folder: Path, write_archive: WriteArchive) -> None:
    (folder / "aclImdb/train/pos/0_9.txt").write_bytes(b"caf\xe9")
    (folder / "aclImdb/train/pos/readme.txt").write_bytes(b"x")
    with pytest.raises(DataError, match=r"train/pos/0_9.txt: line 1: byte 0xe9 is not UTF-8.* \(and 1 more"):
        load_dataset("imdb", data_dir=folder)
    data = load_dataset("imdb", data_dir=folder, skip_bad_rows=True)
    assert (len(data), len(data.skipped)) == (5, 2)
    archive = write_archive(folder / "i.tar", {**REVIEWS, "aclImdb/train/pos/8_9.txt": b"caf\xe9"})
    for _ in range(2):
        assert len(load_dataset("imdb", data_dir=archive, skip_bad_rows=True).skipped) == 1


@pytest.mark.slow
def test_the_official_archive(shared: Path) -> None:
    source = open_data("imdb", data_dir=shared / "data" / "imdb.tar.xz")
    train, test = source.split("train"), source.split("test")
    assert Counter(row.label for row in train) == {0: 12_500, 1: 12_500}
    assert Counter(row.label for row in test) == {0: 12_500, 1: 12_499}  # this copy lacks test/pos/7_9
    assert sum(len(row.text.encode()) for row in train) == 33_132_823  # the total of the published data set
    assert 460 < sum(row.label == 1 for row in train.take(1000)) < 540
