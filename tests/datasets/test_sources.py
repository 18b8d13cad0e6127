"""Known data sets into the cache, and out of it without --data-dir."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.local_server import Served, Server, serving

from albertkit.datasets import DATASETS, load_dataset, open_data, sources
from albertkit.datasets.sources import DATASET_DOWNLOADS, DatasetDownload, cached_dataset, fetch_dataset
from albertkit.errors import DataError, UsageError
from albertkit.hub.consent import DownloadError, ask, granted
from albertkit.io.manifest import FileRecord, changed_files


def _zip(files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        for name, content in files.items():
            made.writestr(name, content)
    return packed.getvalue()


RTE_ZIP = _zip({"RTE/dev.tsv": "index\tsentence1\tsentence2\tlabel\n0\tA\tB\tentailment\n"})
MRPC = {
    "msr_paraphrase_train.txt": "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n"
    '1\t11\t12\tThe "first .\tOne\r\n0\t13\t14\tTwo\tThree\r\n1\t15\t16\tFour\tFive\r\n',
    "msr_paraphrase_test.txt": "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n1\t21\t22\tSix\tSeven\r\n",
    "mrpc_dev_ids.tsv": "13\t14\n",
}


def pinned(download: DatasetDownload, contents: dict[str, bytes]) -> DatasetDownload:
    """The same download with the sizes and hashes of other contents."""
    files = {
        name: FileRecord(file.url, len(contents[name]), hashlib.sha256(contents[name]).hexdigest())
        for name, file in download.files.items()
    }
    return replace(download, files=files)


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("ALBERTKIT_CACHE", str(tmp_path / "cache"))
    for name in ("ALBERTKIT_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    contents = {"RTE.zip": RTE_ZIP} | {name: text.encode() for name, text in MRPC.items()}
    downloads = {name: pinned(DATASET_DOWNLOADS[name], contents) for name in ("glue/rte", "glue/mrpc")}
    monkeypatch.setattr(sources, "DATASET_DOWNLOADS", {**DATASET_DOWNLOADS, **downloads})
    paths = {
        f"/{file.url.removeprefix('https://')}": Served(contents[name])
        for download in downloads.values()
        for name, file in download.files.items()
    }
    with serving(paths) as server:
        monkeypatch.setenv("ALBERTKIT_MIRROR_URL", server.url)
        yield server


def test_the_table() -> None:
    assert set(DATASET_DOWNLOADS) <= set(DATASETS)
    files = [file for download in DATASET_DOWNLOADS.values() for file in download.files.values()]
    assert all(file.url.startswith("https://") and len(file.sha256) == 64 and file.size > 1000 for file in files)
    assert len({file.sha256 for file in files}) == len(files) == 12
    assert all(download.author and download.licence and download.website for download in DATASET_DOWNLOADS.values())


def test_fetched_once_and_then_opened_by_name(web: Server) -> None:
    with pytest.raises(UsageError, match="or fetch it with albertkit download glue/rte"):
        open_data("glue/rte")
    assert cached_dataset("glue/rte") is None
    path = fetch_dataset("glue/rte", consent=granted)
    assert path.read_bytes() == RTE_ZIP
    assert [row.text for row in load_dataset("glue/rte", split="dev")] == ["A"]
    asked = len(web.requests)
    assert fetch_dataset("glue/rte", consent=ask, offline=True) == path
    assert len(web.requests) == asked
    assert changed_files(path.parent) == []
    path.write_bytes(RTE_ZIP + b"x")
    assert cached_dataset("glue/rte") is None


@pytest.mark.usefixtures("web")
def test_a_given_folder_wins_over_the_cache(tmp_path: Path) -> None:
    fetch_dataset("glue/rte", consent=granted)
    (tmp_path / "RTE").mkdir()
    (tmp_path / "RTE" / "dev.tsv").write_text("index\tsentence1\tsentence2\tlabel\n0\tOwn\tB\tentailment\n")
    assert [row.text for row in load_dataset("glue/rte", split="dev", data_dir=tmp_path)] == ["Own"]


@pytest.mark.usefixtures("web")
def test_mrpc_is_divided_as_the_benchmark_does() -> None:
    folder = fetch_dataset("glue/mrpc", consent=granted)
    assert folder == cached_dataset("glue/mrpc")
    assert {path.name: path.read_text() for path in (folder / "MRPC").iterdir()} == {
        "train.tsv": "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
        '1\t11\t12\tThe "first .\tOne\n1\t15\t16\tFour\tFive\n',
        "dev.tsv": "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n0\t13\t14\tTwo\tThree\n",
        "test.tsv": "index\t#1 ID\t#2 ID\t#1 String\t#2 String\n0\t21\t22\tSix\tSeven\n",
    }
    assert [row.label for row in load_dataset("glue/mrpc")] == [1, 1]
    assert [row.label for row in load_dataset("glue/mrpc", split="test")] == [None]
    assert sorted(path.name for path in folder.parent.iterdir()) == ["glue-mrpc", "glue-mrpc.lock"]


def test_mrpc_with_a_broken_row(web: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = {name: text.replace("Four\t", "").encode() for name, text in MRPC.items()}
    broken = pinned(DATASET_DOWNLOADS["glue/mrpc"], contents)
    monkeypatch.setitem(sources.DATASET_DOWNLOADS, "glue/mrpc", broken)  # type: ignore[arg-type]
    for name, file in broken.files.items():
        web.paths[f"/{file.url.removeprefix('https://')}"] = Served(contents[name])
    with pytest.raises(DataError, match="4 columns instead of 5"):
        fetch_dataset("glue/mrpc", consent=granted)
    assert cached_dataset("glue/mrpc") is None


def test_what_was_published_and_nothing_else(web: Server) -> None:
    (served,) = (served for path, served in web.paths.items() if path.endswith("RTE.zip"))
    served.content = RTE_ZIP[::-1]
    with pytest.raises(DownloadError, match="has the SHA-256"):
        fetch_dataset("glue/rte", consent=granted)
    assert cached_dataset("glue/rte") is None


def test_refusals(web: Server) -> None:
    with pytest.raises(UsageError, match='no address is known for the data set "polarity"'):
        fetch_dataset("polarity", consent=granted)
    with pytest.raises(DownloadError, match=r"turned off; fetch .*RTE.zip elsewhere and give the copy with --data-dir"):
        fetch_dataset("glue/rte", consent=granted, offline=True)
    with pytest.raises(DownloadError, match="glue/rte was not downloaded"):
        fetch_dataset("glue/rte", consent=lambda _: False)
    assert web.requests == []
