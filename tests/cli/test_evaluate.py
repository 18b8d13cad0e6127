"""`albertkit evaluate`."""

from __future__ import annotations

from pathlib import Path

from sklearn.metrics import accuracy_score
from tests.cli.running import ONE_THREAD, Runner
from tests.datasets.test_beir import write_collection
from tests.tiny import keyword_rows, tiny_folder, write_csv


def test_json_is_scored_as_scikit_learn_does(albertkit: Runner, run_folder: Path, tmp_path: Path) -> None:
    rows = keyword_rows(40, seed=11)
    data = write_csv(tmp_path / "t.csv", rows)
    found = albertkit("evaluate", run_folder, "--data", data, "--split", "all", *ONE_THREAD, "--json").json
    assert {"task", "data", "split", "examples", "metrics"} <= set(found)
    assert (found["task"], found["data"], found["examples"]) == ("classification", str(data), 40)
    predicted = albertkit("predict", run_folder, *[text for text, _ in rows], *ONE_THREAD, "--json").rows
    accuracy = 100 * accuracy_score([label for _, label in rows], [row["label"] for row in predicted])
    assert round(found["metrics"]["accuracy"], 6) == round(accuracy, 6)


def test_one_class_of_the_model_is_enough_and_the_limit_holds(
    albertkit: Runner, run_folder: Path, tmp_path: Path
) -> None:
    data = write_csv(tmp_path / "t.csv", [("a splendid film", "good")] * 5)
    found = albertkit("evaluate", run_folder, "--data", data, "--limit", "3", *ONE_THREAD, "--json").json
    assert (found["examples"], found["metrics"]["accuracy"]) == (3, 100.0)


def test_the_table(albertkit: Runner, run_folder: Path, keywords: Path) -> None:
    outcome = albertkit("evaluate", run_folder, "--data", keywords, *ONE_THREAD)
    assert outcome.status == 0
    assert "accuracy" in outcome.out


def test_refusals(albertkit: Runner, run_folder: Path, tmp_path: Path, keywords: Path) -> None:
    strange = write_csv(tmp_path / "t.csv", [("a", "good"), ("b", "ugly")])
    words = albertkit("evaluate", run_folder, "--data", strange, *ONE_THREAD, "--json").failure()
    assert 't.csv, line 3: label "ugly" is not one of the labels (bad, good)' in words
    words = albertkit("evaluate", run_folder, "--data", "polarity", "--limit", "2", *ONE_THREAD, "--json").failure()
    assert 'the label "negative" was not seen in training' in words
    for arguments, expected in (
        (("--data", keywords, "--limit", "0"), "the limit is 0; it must be 1 or more examples"),
        (("--data", keywords, "--split", "tset"), 'has no split "tset"'),
    ):
        outcome = albertkit("evaluate", run_folder, *arguments, *ONE_THREAD, "--json")
        assert (outcome.status, outcome.out) == (2, "")
        assert expected in outcome.err
    headless = albertkit("evaluate", tiny_folder(), "--data", keywords, *ONE_THREAD, "--json")
    assert (headless.status, headless.out) == (2, "")
    assert "has no task head; fine-tune it first" in headless.err


def test_the_columns_of_the_run_are_the_default(albertkit: Runner, tmp_path: Path) -> None:
    rows = keyword_rows(40, seed=3)

    def table(name: str, header: str, first: bool = False) -> Path:
        path = tmp_path / name
        lines = [f"{'unread,' * first}{text},{label}" for text, label in rows]
        path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
        return path

    trained = table("train.csv", "v2,v1")
    columns = ("--text-column", "v2", "--label-column", "v1")
    run = tmp_path / "run"
    arguments = ("--model", tiny_folder(), "--data", trained, "--out", run, "--epochs", "1", *ONE_THREAD)
    assert albertkit("finetune", *arguments, *columns, "--no-baseline").status == 0

    data = table("new.csv", "text,v2,v1", first=True)  # by itself, the column "text" would be read
    shown = albertkit("evaluate", run, "--data", data, *ONE_THREAD)
    assert shown.status == 0, shown.err
    assert "Scores on new.csv" in shown.out
    assert "train" not in shown.out
    found = albertkit("evaluate", run, "--data", data, *ONE_THREAD, "--json").json
    alone = albertkit("evaluate", run, "--data", data, *columns, "--split", "train", *ONE_THREAD, "--json").json
    assert (found["split"], found["examples"], found["metrics"]) == ("all", 40, alone["metrics"])
    predicted = albertkit("predict", run, "--input", data, *ONE_THREAD, "--json").rows
    assert [row["text"] for row in predicted] == [text for text, _ in rows]

    other = table("other.csv", "text,label")
    words = albertkit("evaluate", run, "--data", other, *ONE_THREAD, "--json").failure()
    assert 'no column "v2", which' in words
    assert "was trained on (--text-column; there are: text, label); give --text-column" in words
    given = ("--text-column", "text", "--label-column", "label")
    assert (
        albertkit("evaluate", run, "--data", other, *given, *ONE_THREAD, "--json").json["metrics"] == alone["metrics"]
    )


def test_an_ending_that_does_not_fit_is_told_before_scoring(
    albertkit: Runner, run_folder: Path, tmp_path: Path, keywords: Path
) -> None:
    outcome = albertkit(
        "evaluate", run_folder, "--data", keywords, "--predictions", tmp_path / "x.csv", *ONE_THREAD, "--json"
    )
    assert outcome.status == 2
    assert "predictions for these classification data go into a .tsv file, or into a folder" in outcome.err
    assert "100%" not in outcome.err


def test_a_folder_in_beirs_layout_scores_search(albertkit: Runner, tmp_path: Path) -> None:
    write_collection(tmp_path / "beir")
    arguments = ("evaluate", tiny_folder(), "--data", tmp_path / "beir", *ONE_THREAD)
    found = albertkit(*arguments, "--json").json
    assert (found["task"], found["split"], found["examples"]) == ("retrieval", "test", 2)
    assert list(found["metrics"]) == ["ndcg@10", "mrr@10", "precision@10", "recall@10", "recall@100"]
    assert "ndcg@10" in albertkit(*arguments, "--limit", "1").out
    assert "--as-trained cannot be used with a folder in BEIR's layout" in albertkit(*arguments, "--as-trained").err
    outcome = albertkit("evaluate", tiny_folder(), "--data", "polarity", "--dimensions", "8")
    assert "--dimensions cannot be used with data with labels" in outcome.err
