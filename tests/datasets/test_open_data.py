"""Data sets by name: what is known, what is not, and how another package adds one."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from albertkit.data.examples import TextExample
from albertkit.datasets import DATASETS, Dataset, DataSource, load_dataset, open_data
from albertkit.errors import DataError, UsageError


def open_plugin(name: str, *, data_dir: Path | None, skip_bad_rows: bool) -> DataSource:
    """A data set of another package."""
    assert data_dir is None
    assert not skip_bad_rows
    rows = [TextExample("x", label=0)]
    data = Dataset(name, "train", "classification", ("a", "b"), ("accuracy",), rows)
    return DataSource(name, data.task, data.labels, data.metrics, ("train",), lambda _: data)


def test_every_entry_loads() -> None:
    assert len(DATASETS) >= 11
    assert all(callable(DATASETS[name]) for name in DATASETS)


@pytest.mark.parametrize(
    "name, message",
    [
        ("polarty", 'unknown data set "polarty"; did you mean "polarity"'),
        ("glue/qnlii", 'unknown data set "glue/qnlii"; did you mean "glue/qnli"'),
        ("reviews.txt", r'unknown data set "reviews.txt" \(known: .*or the path of a table: .csv .tsv .jsonl .parquet'),
    ],
)
def test_unknown_names(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_data(name)


def test_options_that_do_not_go_with_a_name() -> None:
    with pytest.raises(
        UsageError, match='text_column "review" works only with a table, but polarity is a known data set'
    ):
        load_dataset("polarity", text_column="review")
    assert open_data("polarity", task="classification").task == "classification"
    with pytest.raises(UsageError, match='task "regression" does not fit polarity, which is a classification data'):
        open_data("polarity", task="regression")
    with pytest.raises(UsageError, match='labels "a, b" works only with a table'):
        load_dataset("polarity", labels=["a", "b"])
    with pytest.raises(UsageError, match=r'polarity has no split "tests".*did you mean "test"'):
        load_dataset("polarity", split="tests")


def test_another_package_adds_a_data_set(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("toy/plugin", f"{__name__}:open_plugin", "albertkit.datasets")
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])
    monkeypatch.setattr("albertkit.registry.entry_points", lambda *, group: [point] if group == point.group else [])
    monkeypatch.setattr(DATASETS, "_resolved", {})
    monkeypatch.setattr(DATASETS, "_plugins", None)
    assert load_dataset("toy/plugin")[0].text == "x"


def test_data_sets_need_no_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from albertkit.datasets import load_dataset\n"
        "import albertkit.batching.cutting, albertkit.datasets.imdb, albertkit.datasets.table\n"
        "print(len(load_dataset('polarity', split='dev')))"
    )
    paths = ":".join(path for path in sys.path if path)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": paths}
    )
    assert done.stdout.strip() == "1066"


def test_workbooks_are_data_sets(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    (tmp_path / "data").mkdir()
    for split, lines in {"train": [["good", 1], ["bad", 0]], "test": [["fine", None], ["so", 3]]}.items():
        book = openpyxl.Workbook()
        for line in [["text", "label"], *lines]:
            book.active.append(line)
        book.save(tmp_path / "data" / f"{split}.xlsx")
    source = open_data(tmp_path / "data")
    assert (source.splits, source.task, source.labels) == (("train", "test"), "classification", ("0", "1"))
    assert [example.label for example in source.split("train").examples] == [1, 0]
    with pytest.raises(DataError, match=r"test\.xlsx, sheet Sheet, row 2: the label .* is missing .*and 1 more: row 3"):
        source.split("test")
