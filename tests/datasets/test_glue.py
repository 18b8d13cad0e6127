"""The nine tasks of GLUE: three rows of each layout, and the official counts."""

from __future__ import annotations

import csv
import io
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from albertkit.datasets import DATASETS, load_dataset, open_data
from albertkit.datasets.glue import TASKS
from albertkit.errors import DataError, UsageError

# name -> (file, its text, (text, pair, label, id) of its second row)
LAYOUTS = {
    "cola": (
        "CoLA/train.tsv",
        'gj04\t1\t\tOne.\ngj04\t0\t*\t"Two it.\nclc\t1\t\tThree.',
        ('"Two it.', None, 0, None),
    ),
    "sst2": ("SST-2/train.tsv", "sentence\tlabel\nfine \t1\ndull\t0\nso so\t1\n", ("dull", None, 0, None)),
    "mrpc": (
        "MRPC/train.tsv",
        '\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n1\t7\t8\tA .\tB .\r\n0\t9\t10\t" C .\tD\u2028 .\r\n'
        "1\t11\t12\tE .\tF .\r\n",
        ('" C .', "D\u2028 .", 0, None),
    ),
    "stsb": (
        "STS-B/train.tsv",
        "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore\n"
        + "".join(f"{i}\tnews\tf\t2012\t1\tnone\tnone\tA{i}\tB{i}\t{i}.250\n" for i in range(3)),
        ("A1", "B1", 1.25, "1"),
    ),
    "qqp": (
        "QQP/train.tsv",
        "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
        + "".join(f"{i}\t1\t2\tQ{i}?\tR{i}?\t{i % 2}\n" for i in range(5, 8)),
        ("Q6?", "R6?", 0, "6"),
    ),
    "mnli": (
        "MNLI/dev_mismatched.tsv",
        "index\tpromptID\tsentence1\tsentence2\tlabel1\tgold_label\n"
        "0\t5\tA\tB\tneutral\tneutral\n1\t6\tC\tD\tneutral\tcontradiction\n2\t6\tE\tF\tneutral\tentailment\n",
        ("C", "D", 0, "1"),
    ),
    "qnli": (
        "QNLI/train.tsv",
        "index\tquestion\tsentence\tlabel\n0\tQ?\tS\tentailment\n1\tR?\tT\tnot_entailment\n2\tU?\tV\tentailment\n",
        ("R?", "T", 1, "1"),
    ),
    "rte": (
        "RTE/train.tsv",
        "index\tsentence1\tsentence2\tlabel\n0\tA\tB\tentailment\n1\tC\tD\tnot_entailment\n2\tE\tF\tentailment\n",
        ("C", "D", 1, "1"),
    ),
    "wnli": (
        "WNLI/train.tsv",
        "index\tsentence1\tsentence2\tlabel\n0\tA\tB\t1\n1\tC\tD\t0\n2\tE\tF\t1\n",
        ("C", "D", 0, "1"),
    ),
}

# Rows of the official files (train, dev, test), and the share of dev's most frequent label as the literature has it.
COUNTS = {
    "cola": (8551, 1043, 1063, 69.1),
    "sst2": (67349, 872, 1821, 50.9),
    "mrpc": (3668, 408, 1725, 68.4),
    "stsb": (5749, 1500, 1379, None),
    "qnli": (None, 5463, 5463, 50.5),
    "rte": (2490, 277, 3000, 52.7),
    "wnli": (635, 71, 146, 56.3),
}


def write(root: Path, name: str, text: str) -> Path:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(text.encode())
    return root


@pytest.mark.parametrize("task", sorted(TASKS))
def test_three_rows_of_each_layout(tmp_path: Path, task: str) -> None:
    file, text, expected = LAYOUTS[task]
    write(tmp_path, file, text)
    source = open_data(f"glue/{task}", data_dir=tmp_path)
    data = source.split(source.splits[0])
    row = data[1]
    assert len(data) == 3
    assert (row.text, row.pair, row.label, row.id) == expected
    assert (data.labels, data.task, data.metrics) == (source.labels, source.task, source.metrics)
    assert data.is_pair == (expected[1] is not None)
    in_its_folder = open_data(f"glue/{task}", data_dir=(tmp_path / file).parent)
    assert in_its_folder.split(source.splits[0]).examples == data.examples


def test_metrics_and_label_orders() -> None:
    assert {name: task.metrics[0] for name, task in TASKS.items() if task.metrics[0] != "accuracy"} == {
        "cola": "mcc",
        "stsb": "pearson",
    }
    assert TASKS["mnli"].labels == ("contradiction", "entailment", "neutral")
    assert TASKS["qnli"].labels == TASKS["rte"].labels == ("entailment", "not_entailment")
    assert {f"glue/{task}" for task in TASKS} <= set(DATASETS)


@pytest.mark.parametrize("task", sorted(COUNTS))
def test_official_counts(shared: Path, task: str) -> None:
    *counts, majority = COUNTS[task]
    source = open_data(f"glue/{task}", data_dir=shared / "data" / "glue_and_polarity.tar.xz")
    assert source.splits == tuple(s for s, n in zip(("train", "dev", "test"), counts, strict=True) if n)
    splits = {name: source.split(name) for name in source.splits}
    assert {name: len(data) for name, data in splits.items()} == {
        s: n for s, n in zip(("train", "dev", "test"), counts, strict=True) if n
    }
    assert not any(data.skipped for data in splits.values())
    assert {row.label for row in splits["test"]} == {None}
    assert [row.id for row in splits["test"]] == [str(i) for i in range(counts[2])]
    dev = Counter(row.label for row in splits["dev"])
    if majority is None:
        assert all(0 <= label <= 5 for label in dev if isinstance(label, float))
    else:
        assert 100 * dev.most_common(1)[0][1] / len(splits["dev"]) == pytest.approx(majority, abs=0.06)


def test_rows_agree_with_the_csv_module(shared: Path) -> None:
    archive = shared / "data" / "glue_and_polarity.tar.xz"
    with tarfile.open(archive) as tar:
        member = tar.extractfile("glue/QNLI/dev.tsv")
        assert member is not None
        text = member.read().decode()
    peer = csv.DictReader(io.StringIO(text, newline="\n"), delimiter="\t", quoting=csv.QUOTE_NONE)
    data = load_dataset("glue/qnli", split="dev", data_dir=archive)
    ours = [(row.id, row.text, row.pair, data.labels[int(row.label or 0)]) for row in data]
    assert ours == [(row["index"], row["question"], row["sentence"], row["label"]) for row in peer]


def test_qqp_counts_its_bad_row(shared: Path) -> None:
    source = open_data("glue/qqp", data_dir=shared / "data" / "glue_and_polarity.tar.xz")
    data = source.split("dev_partial")
    assert source.splits == ("dev_partial",)
    assert len(data) == 23_496
    assert [sentence.split(", ")[-1] for sentence in data.skipped] == ["line 1: 5 columns instead of 6"]


def test_a_split_that_is_not_there_names_its_file(tmp_path: Path) -> None:
    write(tmp_path, "QNLI/dev.tsv", "index\tquestion\tsentence\tlabel\n0\tQ?\tS\tentailment\n")
    source = open_data("glue/qnli", data_dir=tmp_path)
    assert source.split("validation").split == "dev"
    with pytest.raises(
        UsageError, match=r'no split "train" \(not under .*: train: QNLI/train.tsv.*available splits: dev'
    ):
        source.split("train")
    with pytest.raises(DataError, match=r"glue/rte: none of RTE/train.tsv, RTE/dev.tsv, RTE/test.tsv under"):
        open_data("glue/rte", data_dir=write(tmp_path / "b", "WNLI/dev.tsv", ""))


def test_mnli_dev_is_the_matched_one(tmp_path: Path) -> None:
    _, text, _ = LAYOUTS["mnli"]
    write(tmp_path, "MNLI/dev_matched.tsv", text)
    write(tmp_path, "MNLI/dev_mismatched.tsv", "\n".join(text.split("\n")[:2]))
    write(tmp_path, "MNLI/test_matched.tsv", "index\tsentence1\tsentence2\n0\tA\tB\n")
    source = open_data("glue/mnli", data_dir=tmp_path)
    assert source.splits == ("dev", "dev_mismatched", "test")
    assert len(source.split("dev")) == len(source.split("dev_matched")) == 3
    assert len(source.split("dev_mismatched")) == 1
    assert source.split("test_matched")[0].label is None


@pytest.mark.parametrize(
    "text, message",
    [
        ("", r"dev.tsv: the file is empty"),
        ("index\tquestion\tsentence\n", r'line 1: no column "label" \(there are: index, question, sentence\)'),
        ("index\tquestion\tsentence\tlabel\n", r"no usable row"),
        ("index\tquestion\tsentence\tlabel\n0\tQ\tS\tentailment\n1\tQ\tS\n", r"line 3: 3 columns instead of 4; repair"),
        (
            "index\tquestion\tsentence\tlabel\n0\tQ\tS\tentailed\n",
            r'line 2: label "entailed" is not one of the labels .* did you mean "entailment"',
        ),
    ],
)
def test_bad_files(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path, "QNLI/dev.tsv", text)
    with pytest.raises(DataError, match=message):
        load_dataset("glue/qnli", split="dev", data_dir=tmp_path)


def test_bad_rows_can_be_skipped(tmp_path: Path) -> None:
    write(tmp_path, "QNLI/dev.tsv", "index\tquestion\tsentence\tlabel\n0\tQ\tS\tentailment\n1\tQ\tS\n")
    data = load_dataset("glue/qnli", split="dev", data_dir=tmp_path, skip_bad_rows=True)
    assert len(data) == 1
    assert data.skipped == (f"{tmp_path}/QNLI/dev.tsv, line 3: 3 columns instead of 4",)


def test_no_folder_given() -> None:
    with pytest.raises(UsageError, match=r"glue/rte does not come with albertkit: give --data-dir .*RTE/train.tsv"):
        open_data("glue/rte")
