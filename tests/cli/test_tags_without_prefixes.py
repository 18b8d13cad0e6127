"""`finetune`, `evaluate`, `score`, `predict`, `export` and the server for parts of speech and IO tags."""

from __future__ import annotations

import asyncio
import json
from itertools import product
from pathlib import Path

import pytest
from seqeval.metrics import f1_score
from sklearn.metrics import accuracy_score
from tests.cli.running import ONE_THREAD, Runner
from tests.serving.asking import served
from tests.tiny import execution, settings

from albertkit.inference.predictor import Predictor
from albertkit.training.finetune import finetune

SENTENCES = [
    f"{article} DET\n{noun} NOUN\n{verb} VERB\n. PUNCT\n"
    for article, noun, verb in product(("the", "a"), ("dog", "cat", "man"), ("runs", "sleeps", "eats"))
]


def write(folder: Path, sentences: list[str]) -> Path:
    folder.mkdir()
    for split in ("train", "dev", "test"):
        (folder / f"{split}.conll").write_text("\n".join(sentences))
    return folder


@pytest.fixture(scope="module")
def parts_of_speech(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A data set of parts of speech, and a finished run on it."""
    folder = tmp_path_factory.mktemp("pos")
    data = write(folder / "data", SENTENCES)
    finetune(settings(data, folder / "run", epochs=8, learning_rate=2e-2, plots=False))
    return data, folder / "run"


def columns(path: Path) -> list[list[list[str]]]:
    """The cells of each sentence's lines."""
    return [[line.split("\t") for line in part.split("\n") if line] for part in path.read_text().split("\n\n")]


def test_accuracy_of_words_is_scikit_learns(
    albertkit: Runner, parts_of_speech: tuple[Path, Path], tmp_path: Path
) -> None:
    data, run = parts_of_speech
    report = json.loads((run / "report.json").read_text())
    assert list(report["metrics"]) == ["accuracy"]
    assert report["chosen_by"] == {"split": "dev", "metric": "accuracy"}
    assert any(
        "no B- or I- prefixes, so they count as classes: accuracy is per word" in note for note in report["notes"]
    )
    predictions = tmp_path / "predictions.conll"
    outcome = albertkit("evaluate", run, "--data", data, "--predictions", predictions, "--json", *ONE_THREAD)
    rows = [cells for sentence in columns(predictions) for cells in sentence]
    accuracy = 100 * accuracy_score([cells[1] for cells in rows], [cells[2] for cells in rows])
    assert outcome.json["metrics"] == {"accuracy": pytest.approx(accuracy)} == report["metrics"]
    assert accuracy > 50
    scored = albertkit("score", data, "--split", "test", "--predictions", predictions, "--json")
    assert scored.json["metrics"] == outcome.json["metrics"]


def test_predictions_name_every_words_tag(
    albertkit: Runner, parts_of_speech: tuple[Path, Path], tmp_path: Path
) -> None:
    _, run = parts_of_speech
    (row,) = albertkit("predict", run, "the dog runs.", "--json", *ONE_THREAD).rows
    assert (row["words"], row["entities"]) == ([[0, 3], [4, 7], [8, 12], [12, 13]], [])
    assert set(row["tags"]) <= {"DET", "NOUN", "PUNCT", "VERB"}
    shown = " ".join(f"{word}/{tag}" for word, tag in zip(["the", "dog", "runs", "."], row["tags"], strict=True))
    assert albertkit("predict", run, "the dog runs.", *ONE_THREAD).out == f"{shown}\tthe dog runs.\n"
    assert albertkit("predict", run, "", *ONE_THREAD).out == "(no word)\t\n"
    assert albertkit("export", run, "--to", "onnx", "--out", tmp_path / "onnx", "--json").status == 0
    assert albertkit("predict", tmp_path / "onnx", "the dog runs.", *ONE_THREAD).out == f"{shown}\tthe dog runs.\n"


def test_the_server_tags_them(parts_of_speech: tuple[Path, Path]) -> None:
    predictor = Predictor.load(parts_of_speech[1], execution=execution())

    async def main() -> list[dict[str, object]]:
        async with served(predictor) as (client, _):
            response = await client.post("/tag", json={"text": "the dog runs."})
            results: list[dict[str, object]] = response.json()["results"]
            return results

    (row,) = asyncio.run(main())
    assert row == {key: value for key, value in predictor.predict("the dog runs.")[0].items() if key != "text"}


def test_io_tags_are_entities(albertkit: Runner, tmp_path: Path) -> None:
    towns = ("Rome", "Oslo", "New York", "San Jose")
    sentences = [
        "".join(f"{word} LOC\n" for word in town.split()) + f"{verb} O\nquickly O\n"
        for town, verb in product(towns, ("grew", "shrank", "won"))
    ]
    data = write(tmp_path / "data", sentences)
    report = finetune(settings(data, tmp_path / "run", epochs=8, learning_rate=2e-2, plots=False))
    assert any("adjacent words with the same tag count as one entity" in note for note in report.notes)
    predictions = tmp_path / "predictions.conll"
    outcome = albertkit(
        "evaluate", tmp_path / "run", "--data", data, "--predictions", predictions, "--json", *ONE_THREAD
    )
    true, predicted = (
        [["O" if row[column] == "O" else f"I-{row[column]}" for row in sentence] for sentence in columns(predictions)]
        for column in (1, 2)
    )
    assert outcome.json["metrics"]["f1"] == pytest.approx(100 * f1_score(true, predicted))
    assert report.metrics["f1"] == pytest.approx(outcome.json["metrics"]["f1"])
    assert report.metrics["f1"] > 0


def test_a_tag_of_training_that_only_the_test_continues(tmp_path: Path) -> None:
    data = write(tmp_path / "data", [f"{town} B-LOC\nis O\nbig O\n" for town in ("Rome", "Oslo", "Lima")])
    (data / "test.conll").write_text("New B-LOC\nYork I-LOC\nis O\n")
    report = finetune(settings(data, tmp_path / "run", epochs=1, plots=False))
    assert set(report.metrics) == {"f1", "precision", "recall", "accuracy"}


def test_a_run_that_finds_nothing_says_so(albertkit: Runner, tmp_path: Path) -> None:
    # No word says which one is tagged, so O is the best answer for all of them.
    sentences = ["".join(f"so {'B-X' if at == place else 'O'}\n" for at in range(13)) for place in range(13)]
    data = write(tmp_path / "data", sentences)
    report = finetune(settings(data, tmp_path / "run", epochs=4, learning_rate=4e-3, plots=False))
    assert report.metrics["f1"] == 0
    assert report.verdict is not None
    assert '169 of 169 words were tagged "O", but 13 have another tag' in report.verdict.sentence
    assert any("--epochs" in advice for advice in report.verdict.advice)
    found = albertkit("predict", tmp_path / "run", "Rome is big", *ONE_THREAD).out
    assert found == "Rome/O is/O big/O\tRome is big\n"


def test_tags_that_are_all_the_same(tmp_path: Path) -> None:
    from albertkit.errors import DataError

    data = write(tmp_path / "data", ["Rome O\nis O\n"] * 3)
    with pytest.raises(DataError, match='split train: every word has the tag "O", so there is nothing to learn'):
        finetune(settings(data, tmp_path / "run"))
