"""Files out of folders and archives, without extraction."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from albertkit.datasets.archive import find_files, read_members
from albertkit.errors import DataError

WriteArchive = Callable[[Path, dict[str, bytes]], Path]

FILES = {"glue/RTE/dev.tsv": b"rte dev", "glue/RTE/train.tsv": b"rte train", "glue/WNLI/dev.tsv": b"wnli dev"}


@pytest.mark.parametrize("name", ["d.zip", "d.tar", "d.tar.gz", "d.tgz", "d.tar.xz", "d.tar.bz2"])
def test_archives_of_all_kinds(tmp_path: Path, name: str, write_archive: WriteArchive) -> None:
    path = write_archive(tmp_path / name, FILES)
    found = find_files(path, folders=["RTE"], names=["train.tsv", "dev.tsv", "test.tsv"])
    assert {key: file.read() for key, file in found.items()} == {"train.tsv": b"rte train", "dev.tsv": b"rte dev"}
    assert found["dev.tsv"].where == f"{path}:glue/RTE/dev.tsv"


@pytest.mark.parametrize("start", ["", "glue", "glue/RTE"])
def test_folders_at_each_level(tmp_path: Path, start: str) -> None:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    found = find_files(tmp_path / start, folders=["rte"], names=["dev.tsv"])
    assert found["dev.tsv"].read() == b"rte dev"
    assert find_files(tmp_path / "glue", folders=["MNLI"], names=["dev.tsv"]) == {}


@pytest.mark.parametrize("name", ["evil.tar.gz", "evil.zip"])
@pytest.mark.parametrize("member", ["../RTE/dev.tsv", "/RTE/dev.tsv"])
def test_members_that_lead_out_are_refused(tmp_path: Path, name: str, member: str, write_archive: WriteArchive) -> None:
    path = write_archive(tmp_path / name, {member: b"x"})
    with pytest.raises(DataError, match="points outside the archive"):
        find_files(path, folders=["RTE"], names=["dev.tsv"])
    assert [p.name for p in tmp_path.rglob("*")] == [name]


def test_links_are_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "links.tar"
    with tarfile.open(path, "w") as tar:
        link = tarfile.TarInfo("RTE/dev.tsv")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        tar.addfile(link)
    assert find_files(path, folders=["RTE"], names=["dev.tsv"]) == {}


def test_sizes_are_bounded(tmp_path: Path, write_archive: WriteArchive) -> None:
    path = write_archive(tmp_path / "bomb.tar.gz", {"a.txt": bytes(10_000)})
    with pytest.raises(DataError, match=r'member "a.txt" passes the limit of 9999 bytes'):
        list(read_members(path, wanted=lambda _: True, max_bytes=9999))
    assert len(next(read_members(path, wanted=lambda _: True, max_bytes=10_000))[1]) == 10_000


@pytest.mark.parametrize("name", ["d.zip", "d.tar", "d.tar.gz", "d.tar.xz", "d.tar.bz2"])
def test_broken_archives(tmp_path: Path, name: str, write_archive: WriteArchive) -> None:
    path = write_archive(tmp_path / name, {f"RTE/{i}.tsv": bytes(range(256)) * i for i in range(40)})
    whole = path.read_bytes()
    for content in (
        whole[: len(whole) // 2],
        whole[:-5] if name != "d.tar" else whole[:2560],
        b"no archive at all",
        b"",
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match="cannot be read as an archive"):
            list(read_members(path, wanted=lambda _: True))


def test_neither_folder_nor_archive(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        find_files(tmp_path / "nowhere", folders=["RTE"], names=["dev.tsv"])
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(DataError, match="is neither a folder nor an archive"):
        find_files(tmp_path / "a.txt", folders=["RTE"], names=["dev.tsv"])
