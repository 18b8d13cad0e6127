"""Fine-tuning, scoring and predicting with tables in memory is the same as with their files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.tiny import execution, keyword_rows, settings, write_csv

import albertkit
from albertkit.errors import DataError, RunError, UsageError
from albertkit.inference.predictor import Predictor
from albertkit.training.finetune import finetune

pandas = pytest.importorskip("pandas")


def test_a_run_on_a_table_in_memory(tmp_path: Path) -> None:
    rows = keyword_rows(40)
    frame = pandas.DataFrame(
        [(text, label, n) for n, (text, label) in enumerate(rows)], columns=["text", "label", "id"]
    )
    given = settings(write_csv(tmp_path / "rows.csv", rows), tmp_path / "file", epochs=1, plots=False)
    from_file = finetune(given)
    in_memory = replace(given, data=frame, out=str(tmp_path / "memory"))
    report = finetune(in_memory)
    assert report.metrics == from_file.metrics
    assert report.data == "DataFrame"
    assert json.loads((tmp_path / "memory" / "config.json").read_text())["data"] == "DataFrame"
    with pytest.raises(RunError, match="training examples"):
        finetune(replace(in_memory, data=frame.assign(text="other")), resume=True)

    predictor = Predictor.load(tmp_path / "memory", execution=execution())
    scored = albertkit.evaluate(predictor, frame)
    assert scored.metrics == albertkit.evaluate(predictor, albertkit.load_dataset(tmp_path / "rows.csv")).metrics
    with pytest.raises(DataError, match=r"^DataFrame: no column for the label|has no label"):
        albertkit.evaluate(predictor, frame[["text"]])

    predicted = predictor.predict_frame(frame.set_index("id"))
    rows_of = predictor.predict(list(frame["text"]))
    assert predicted.index.tolist() == list(range(40))
    assert predicted["label"].tolist() == frame["label"].tolist()  # the gold ones stay
    assert predicted["predicted_label"].tolist() == [row["label"] for row in rows_of]
    for label in predictor.labels:
        assert predicted[f"probability_{label}"].tolist() == [row["probabilities"][label] for row in rows_of]
    with pytest.raises(DataError, match="frame is a list; give a table, or call predict for a list of texts"):
        predictor.predict_frame(["a"])


def test_the_columns_of_the_training_are_read_again(tmp_path: Path) -> None:
    rows = keyword_rows(24)
    frame = pandas.DataFrame(
        [(f"other {n}", text, "second", label) for n, (text, label) in enumerate(rows)],
        columns=["text", "body", "reply", "verdict"],
    )
    columns = {"text_column": "body", "pair_column": "reply", "label_column": "verdict"}
    given = settings("", tmp_path / "run", epochs=1, plots=False)
    finetune(replace(given, data=frame, **columns))
    predictor = Predictor.load(tmp_path / "run", execution=execution())
    pairs = predictor.predict([(text, "second") for text, _ in rows])
    assert predictor.predict(frame) == pairs
    assert predictor.predict_frame(frame)["label"].tolist() == [row["label"] for row in pairs]
    assert predictor.predict(frame, text_column="text", pair_column="reply")[0]["text"] == "other 0"
    whole = albertkit.evaluate(predictor, frame)
    assert whole.metrics == albertkit.evaluate(predictor, albertkit.load_dataset(frame, **columns)).metrics
    other = frame.rename(columns={"body": "sentence1", "reply": "sentence2", "verdict": "label"})
    assert albertkit.evaluate(predictor, other.drop(columns="text")).metrics == whole.metrics


def test_a_model_of_single_texts_takes_no_pairs(tmp_path: Path) -> None:
    given = settings(write_csv(tmp_path / "rows.csv", keyword_rows(24)), tmp_path / "run", epochs=1, plots=False)
    finetune(given)
    predictor = Predictor.load(tmp_path / "run", execution=execution())
    with pytest.raises(UsageError, match="this model was trained on single texts; leave out the second text"):
        predictor.predict([("one", "two")])
