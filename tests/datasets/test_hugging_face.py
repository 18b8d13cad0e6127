"""hf: reads what the datasets library reads: local folders in its layouts, and repositories of a hub."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.local_hub import Hub, local_hub
from tests.local_server import Served, serving

from albertkit.data.examples import ChoiceExample, SpanExample, TextExample
from albertkit.datasets import load_dataset, open_data
from albertkit.datasets.hugging_face import fetch_hugging_face
from albertkit.errors import AlbertkitError, DataError, MissingExtraError, UsageError
from albertkit.hub import transfer
from albertkit.hub.consent import DownloadError, Offer, granted
from albertkit.hub.hub_names import hub_dataset
from albertkit.io.files import WriteError
from albertkit.io.manifest import changed_files, read_manifest
from albertkit.io.progress import Silent

library = pytest.importorskip("datasets")
# The library leaves CSV files open before 5.2.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

CARD = """---
configs:
- config_name: stars
  data_files:
  - split: train
    path: stars/train-*
- config_name: mood
  data_files:
  - split: train
    path: mood/train-*
  - split: validation
    path: mood/validation-*
  - split: test
    path: mood/test-*
---
# Films
"""


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALBERTKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(transfer, "PAUSES", (0.01,))
    library.disable_progress_bars()
    yield
    library.enable_progress_bars()


def films(**rows: list[int]) -> Any:
    """Some splits with a ClassLabel whose names are not in the order of the alphabet."""
    label = library.ClassLabel(names=["good", "bad"])
    features = library.Features({"sentence": library.Value("string"), "label": label})
    return library.DatasetDict(
        {
            split: library.Dataset.from_dict(
                {"sentence": [f"{split} film {number}" for number in range(len(labels))], "label": labels},
                features=features,
            )
            for split, labels in rows.items()
        }
    )


def parquet(table: Any, path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(str(path))
    return path.read_bytes()


def test_every_layout_is_the_table_in_memory(tmp_path: Path) -> None:
    given = films(train=[0, 1, 1], validation=[1, 0], test=[-1, -1])
    given.save_to_disk("saved")
    for split, table in given.items():
        parquet(table, tmp_path / "hub" / "data" / f"{split}-00000-of-00001.parquet")
        table.to_json(f"lines-{split}.jsonl")
    expected = open_data(given)
    assert expected.split("train").labels == ("bad", "good")
    for name in ("hf:./saved", "hf:./hub", f"hf:{tmp_path}/hub"):
        source = open_data(name)
        assert (source.name, source.task, source.labels) == (name, expected.task, expected.labels)
        assert source.splits == ("train", "dev", "test")
        for split in source.splits:
            assert list(source.split(split)) == list(expected.split(split))
            assert source.split(split).name == name
    # -1 of every row is the hub's way to hide the labels of a test split
    assert [example.label for example in open_data("hf:./hub").split("test").of(type(expected.split("test")[0]))] == [
        None,
        None,
    ]


def test_a_split_without_labels_is_read_for_its_texts() -> None:
    films(train=[0, 1, 1], unsupervised=[-1, -1]).save_to_disk("saved")
    source = open_data("hf:./saved")
    assert [example.is_labelled for example in source.split("unsupervised").examples] == [False, False]
    films(train=[0, 1, 1], dev=[-1, -1]).save_to_disk("forgotten")
    with pytest.raises(DataError, match="label"):
        open_data("hf:./forgotten").split("dev")


def test_files_of_texts_and_one_saved_split(tmp_path: Path) -> None:
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv" / "train.csv").write_text("review,stars\ngood,4.5\nbad,1.5\n")
    source = open_data("hf:./csv", label_column="stars")
    assert (source.splits, source.task) == (("train",), "regression")
    films(train=[0, 1])["train"].save_to_disk("one")
    assert open_data("hf:./one").splits == ("train",)
    assert list(load_dataset("hf:./one", split="all")) == list(load_dataset("hf:./one"))


def test_questions_choices_and_tags() -> None:
    tags = library.Sequence(library.ClassLabel(names=["O", "B-PER"]))
    words = library.Features({"tokens": library.Sequence(library.Value("string")), "ner_tags": tags})
    for name, rows, features in (
        ("questions", {"context": ["Rollo led."], "question": ["Who?"]}, None),
        ("choices", {"question": ["Who?"], "options": [["Rollo", "Otto"]], "answer": ["B"]}, None),
        ("tags", {"tokens": [["Rollo", "led"]], "ner_tags": [[1, 0]]}, words),
    ):
        if name == "questions":
            rows = {**rows, "answers": [{"text": ["Rollo"], "answer_start": [0]}]}
        given = library.DatasetDict({"train": library.Dataset.from_dict(rows, features=features)})
        given.save_to_disk(name)
        source, in_memory = open_data(f"hf:./{name}"), open_data(given)
        assert source.task == in_memory.task
        assert list(source.split("train")) == list(in_memory.split("train"))
    assert open_data("hf:./questions").split("train").of(SpanExample)[0].answers[0].text == "Rollo"
    assert open_data("hf:./choices").split("train").of(ChoiceExample)[0].label == 1
    assert open_data("hf:./tags").labels == ("O", "B-PER", "I-PER")


def test_a_config_of_a_folder(tmp_path: Path) -> None:
    given = films(train=[0, 1])["train"]
    for config in ("mood", "stars"):
        parquet(given, tmp_path / "films" / config / "train-0.parquet")
    (tmp_path / "films" / "README.md").write_text(CARD.partition("  - split: validation")[0] + "---\n")
    assert len(load_dataset("hf:./films/mood")) == 2
    (tmp_path / "README.md").write_text("---\na: [\n---\n")  # that of the folder above may be anything
    with pytest.raises(
        UsageError, match=r"^hf:\./films has 2 configs \(stars, mood\); choose one, such as hf:\./films/stars$"
    ):
        open_data("hf:./films")
    with pytest.raises(DataError, match=r'is no folder \(configs of films: stars, mood\); did you mean "mood"\?'):
        open_data("hf:./films/moood")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "cannot be read by the datasets library: The directory at .* doesn't contain any data files"),
        ({"a.png": b""}, "its files are for imagefolder; albertkit reads the texts of parquet, csv"),
        ({"data.py": b"import os"}, r"is a program \(data.py\), and albertkit runs no programs"),
        ({"train.csv": b"text,label\na,x\n", "test.csv": b"text,label\n"}, r"^hf:\./data: no rows in test; add rows"),
        ({"train.parquet": b"hello"}, "cannot be read by the datasets library: .*Parquet"),
        ({"train.csv": b'text,label\n"a,0\n'}, "cannot be read by the datasets library: .*EOF inside string"),
        ({"train.csv": b"a,b\n1,2\n"}, r"^hf:\./data train: no column for the text \(there are: a, b;"),
        (
            {"train.csv": b"text,label\na,x\n,y\n"},
            r'^hf:\./data train, row 1: "text" is missing; rows count from 0; pass --skip-bad-rows',
        ),
        ({"README.md": CARD.replace("stars/train-*", "https://a.example/x.csv").encode()}, "not in the folder"),
        ({"README.md": CARD.replace("stars/train-*", "../train.csv").encode()}, "not in the folder"),
        ({"README.md": b"---\na: [\n---\n"}, r"README\.md has metadata that cannot be read"),
        ({".huggingface.yaml": b""}, r"configs in \.huggingface\.yaml are not read"),
    ],
    ids=str,
)
def test_folders_that_cannot_be_read(files: dict[str, bytes], words: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name, content in files.items():
        (tmp_path / "data" / name).write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        open_data("hf:./data").split("train")
    assert "\n" not in str(caught.value)


def test_saved_splits_without_rows() -> None:
    given = films(train=[0, 1], validation=[], test=[])
    given.save_to_disk("saved")
    given["test"].save_to_disk("one")
    with pytest.raises(
        DataError, match=r"^hf:\./saved: no rows in test, validation; add rows, or leave the split out$"
    ):
        open_data("hf:./saved")
    with pytest.raises(DataError, match=r"^hf:\./one: no rows in one; add rows"):
        open_data("hf:./one")
    assert len(load_dataset("hf:./saved/train")) == 2


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("hf:./films/train.csv", {}, r"^films/train\.csv is a file; give it without hf:, or give its folder$"),
        ("hf:./flims", {}, 'flims is no folder; did you mean "films"'),
        ("hf:/", {}, "hf:/ is a whole home or disk; name the folder"),
        ("hf:~", {}, "hf:~ is a whole home or disk; name the folder"),
        ("hf:films", {}, r'"hf:films" may be a folder .*; write hf:\./films .* or hf:films@main for the hub'),
        ("hf:films/x", {}, r"hf:\./films/x for the folder"),
        ("hf:", {}, '"hf:" is neither hf:NAME, hf:ORG/NAME or hf:ORG/NAME/CONFIG on the hub'),
        ("hf:a/b/c/d", {}, "is neither"),
        ("hf:a--b/c", {}, "is neither"),
        ("hf:a/b@", {}, "is neither"),
        ("hf:./films", {"data_dir": "x"}, r"data_dir goes with files, but data is hf:\./films"),
        ("hf:./films", {"encoding": "cp1252"}, "encoding goes with files"),
    ],
)
def test_names_that_cannot_be(name: str, options: dict[str, Any], words: str, tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "train.csv").write_text("text,label\na,x\n")
    with pytest.raises(AlbertkitError, match=words):
        open_data(name, **options)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtraError, match=r"^reading hf:org/films needs datasets.*albertkit\[datasets\]"):
        open_data("hf:org/films")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    monkeypatch.delenv("ALBERTKIT_HUB_URL", raising=False)
    given = films(train=[0, 1, 1], validation=[1, 0], test=[-1, -1])
    files = {"README.md": CARD.encode(), "stars/train-0.parquet": parquet(given["test"], tmp_path / "x.parquet")}
    for split, table in given.items():
        files[f"mood/{split}-00000-of-00001.parquet"] = parquet(table, tmp_path / f"{split}.parquet")
    with local_hub() as server:
        server.add_dataset("org/films", files)
        server.add_dataset("org/lines", {"train.csv": b"text,label\nfine,1\ndull,0\n", "notes.txt": b"no data"})
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        yield server


def test_a_data_set_of_the_hub(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALBERTKIT_YES", "1")
    commit = next(iter(hub.repositories["datasets/org/films"].commits))
    source = open_data("hf:org/films/mood")
    assert source.name == f"hf:org/films/mood@{commit}"
    expected = open_data(films(train=[0, 1, 1], validation=[1, 0], test=[-1, -1]))
    assert [list(source.split(split)) for split in source.splits] == [list(expected.split(s)) for s in expected.splits]
    fetched = {path.rpartition("/")[2] for _, path, _ in hub.requests if "/resolve/" in path}
    assert fetched == {"README.md", *(f"{split}-00000-of-00001.parquet" for split in ("train", "validation", "test"))}
    assert {token for _, _, token in hub.requests} == {""}
    # the second time nothing is asked, and nothing can be
    hub.requests.clear()
    monkeypatch.setenv("ALBERTKIT_OFFLINE", "1")
    monkeypatch.setattr(socket, "create_connection", None)
    assert list(load_dataset("hf:org/films/mood")) == list(expected.split("train"))
    assert hub.requests == []


def test_the_hub_is_as_its_own_library_sees_it(hub: Hub) -> None:
    from huggingface_hub import HfApi

    found = HfApi(endpoint=hub.url, token=False).dataset_info("org/films", revision="main")
    assert found.sha in hub.repositories["datasets/org/films"].commits
    assert {file.rfilename for file in found.siblings or ()} > {"README.md", "stars/train-0.parquet"}


def test_consent_and_revisions(hub: Hub) -> None:
    offers: list[Offer] = []

    def refuse(offer: Offer) -> bool:
        offers.append(offer)
        return False

    with pytest.raises(DownloadError, match="hf:org/lines was not downloaded, as you did not agree; run `albertkit"):
        fetch_hugging_face("hf:org/lines", progress=Silent(), consent=refuse)
    assert hub.requests == []
    assert (offers[0].what, offers[0].url) == ("data set", f"{hub.url}/datasets/org/lines")
    first = fetch_hugging_face("hf:org/lines", progress=Silent(), consent=granted)
    old = next(iter(hub.repositories["datasets/org/lines"].commits))
    hub.add_dataset("org/lines", {"train.csv": b"text,label\nnew,1\n"})
    assert fetch_hugging_face("hf:org/lines", progress=Silent(), consent=granted) == first  # the cache does not change
    pinned = fetch_hugging_face(f"hf:org/lines@{old}", progress=Silent(), consent=granted)
    assert pinned != first
    manifest = read_manifest(pinned)
    assert manifest is not None
    assert (manifest.name, manifest.revision) == (f"hf:org/lines@{old}", old)
    assert changed_files(pinned) == []
    assert not list(pinned.parent.glob("*.files"))
    assert [example.text for example in load_dataset(f"hf:org/lines@{old}").of(TextExample)] == ["fine", "dull"]


def test_old_names_lead_to_the_new_ones(hub: Hub) -> None:
    hub.moved["datasets/lines"] = "datasets/org/lines"
    found = read_manifest(fetch_hugging_face("hf:lines", progress=Silent(), consent=granted))
    assert found is not None
    assert found.name.startswith("hf:lines@")


def test_a_cut_download_goes_on(hub: Hub) -> None:
    large = [digest for digest, content in hub.objects.items() if content]
    kept, lost = dict(hub.objects), large[-1]
    hub.objects[lost] = kept[lost][:-1] + b"?"  # damaged on its way
    with pytest.raises(DownloadError, match="SHA-256"):
        fetch_hugging_face("hf:org/films/mood", progress=Silent(), consent=granted)
    hub.objects, asked = kept, list(hub.requests)
    hub.requests.clear()
    fetch_hugging_face("hf:org/films/mood", progress=Silent(), consent=granted)
    before = {path for method, path, _ in asked if method == "GET" and path.startswith("/objects/")}
    again = {path for method, path, _ in hub.requests if method == "GET" and path.startswith("/objects/")}
    assert len(before) > 1
    assert before & again == {f"/objects/{lost}"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("hf:org/none", 'No data set "org/none" at revision "main" .* or it is private; .*hf:ORG/NAME/CONFIG'),
        ("hf:org/lines@v9", 'No data set "org/lines" at revision "v9"'),
        ("hf:org/films", r"hf:org/films has 2 configs \(stars, mood\); choose one, such as hf:org/films/stars"),
        ("hf:org/films@main", "choose one, such as hf:org/films/stars@main"),
        ("hf:org/films/mod", r'no config "mod"; did you mean "mood"\? \(configs: stars, mood\)'),
        ("hf:org/lines/x", r'no config "x" \(configs: default\)'),
        ("hf:org/gated", r"agreed to its terms on .*/datasets/org/gated; agree there, then fetch it with `hf download"),
        ("hf:org/script", r"hf:org/script is a program \(script.py\)"),
        ("hf:org/pictures", "its files are for imagefolder"),
        ("hf:org/broken", "hf:org/broken cannot be read by the datasets library: .*Parquet"),
        ("hf:org/outside", "names '../train.csv', which the hub never does"),
        ("hf:./here", "is a folder on this machine, so there is nothing to download"),
    ],
)
def test_what_the_hub_cannot_give(name: str, words: str, hub: Hub) -> None:
    hub.add_dataset("org/gated", {"train.csv": b""})
    hub.repositories["datasets/org/gated"].gated = True
    hub.add_dataset("org/script", {"script.py": b"", "train.csv": b""})
    hub.add_dataset("org/pictures", {"a.png": b""})
    hub.add_dataset("org/broken", {"train.parquet": b"hello"})
    hub.add_dataset("org/outside", {"../train.csv": b""})
    with pytest.raises(AlbertkitError, match=words) as caught:
        fetch_hugging_face(name, progress=Silent(), consent=granted)
    assert "\n" not in str(caught.value)
    if not name.startswith("hf:./"):
        found = hub_dataset(name)
        assert found is not None
        with pytest.raises(DownloadError, match="downloads are turned off; run `albertkit download"):
            fetch_hugging_face(name, progress=Silent(), offline=True)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<html>", "does not answer in JSON"),
        (b"[" * 10**5, "does not answer in JSON"),
        (b"{}", "does not answer as the hub does"),
        (b'{"id": "org/films", "sha": "x", "siblings": []}', r"names \('org/films', 'x'\), which the hub never does"),
    ],
    ids=["page", "deep", "empty", "commit"],
)
def test_a_server_that_is_no_hub(content: bytes, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving({"/api/datasets/org/films/revision/main": Served(content)}) as server:
        monkeypatch.setenv("ALBERTKIT_HUB_URL", server.url)
        with pytest.raises(DownloadError, match=words):
            fetch_hugging_face("hf:org/films", progress=Silent(), consent=granted)


@pytest.mark.usefixtures("hub")
def test_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(library.DatasetDict, "save_to_disk", full)
    with pytest.raises(WriteError, match="hf:org/lines: the disk is full; make room"):
        fetch_hugging_face("hf:org/lines", progress=Silent(), consent=granted)
