"""What of a task its model's folder keeps."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.tiny import tiny_folder

from albertkit.data.examples import TokenExample
from albertkit.errors import CheckpointError, UsageError
from albertkit.models.pretrained import load_model, save_model, with_task_head
from albertkit.tasks import TASKS
from albertkit.tasks.saved import saved_settings, with_saved_settings
from albertkit.tasks.token_classification import TOKEN_CLASSIFICATION, TokenClassificationTask
from albertkit.text.tokenizer import Tokenizer


def test_a_threshold_comes_back_with_the_model(tmp_path: Path) -> None:
    model = with_task_head(load_model(tiny_folder()), task="question_answering_null", labels=())
    assert model.task is TASKS["question_answering_null"]
    model = replace(model, task=with_saved_settings(model.task, {"null_threshold": -2.25}))
    save_model(model, tmp_path / "m")
    assert load_model(tmp_path / "m").task == model.task
    assert saved_settings(model.task) == {"null_threshold": -2.25}
    assert TASKS["question_answering_null"].null_threshold == 0.0

    file = tmp_path / "m" / "task.json"
    kept = json.loads(file.read_text())
    file.write_text(json.dumps({**kept, "null_threshold": "high"}))
    with pytest.raises(CheckpointError, match=r"task\.json: null_threshold is 'high'; it is a number"):
        load_model(tmp_path / "m")
    del kept["null_threshold"]  # a folder of before
    file.write_text(json.dumps(kept))
    assert load_model(tmp_path / "m").task is TASKS["question_answering_null"]


def test_other_tasks_keep_nothing() -> None:
    assert saved_settings(TASKS["multiple_choice"]) == {}
    assert with_saved_settings(TASKS["multiple_choice"], {"null_threshold": 3.0}) is TASKS["multiple_choice"]
    with pytest.raises(UsageError, match="null_threshold is True"):
        with_saved_settings(TASKS["question_answering"], {"null_threshold": True})


def test_a_tagger_splits_text_as_its_training_words_were_split(tmp_path: Path) -> None:
    words = ["U.S.", "'s", "work", ".", "n't", "30-year-old"]
    text = " ".join(words)
    spans = tuple((text.index(word), text.index(word) + len(word)) for word in words)
    task = TOKEN_CLASSIFICATION.learned_from([TokenExample(text, spans)])
    labels = ("O", "B-LOC", "I-LOC")
    model = replace(with_task_head(load_model(tiny_folder()), task="token_classification", labels=labels), task=task)
    save_model(model, tmp_path / "m")
    loaded = load_model(tmp_path / "m").task
    assert loaded == task
    assert isinstance(loaded, TokenClassificationTask)
    raw = "The U.K.'s 51-year-old didn't."
    found = [raw[start:end] for start, end in loaded.example_of(raw).words]
    assert found == ["The", "U.K.", "'s", "51-year-old", "did", "n't", "."]
    assert len(TOKEN_CLASSIFICATION.example_of(raw).words) == 16  # every mark by itself

    # The network reads the words as in training, with blanks between them.
    tokenizer, as_words = Tokenizer.official(), "The U.K. 's 51-year-old did n't ."
    (sequence,) = loaded.encode(tokenizer, [loaded.example_of(raw)], max_length=64).sequences
    assert sequence.input_ids.tolist() == tokenizer.encode(as_words).input_ids
    assert tokenizer.encode(raw).input_ids != tokenizer.encode(as_words).input_ids

    file = tmp_path / "m" / "task.json"
    kept = json.loads(file.read_text())
    file.write_text(json.dumps({**kept, "word_joins": {"shapes": "a."}}))
    with pytest.raises(CheckpointError, match=r"task\.json: word_joins must have the lists shapes, words, parted"):
        load_model(tmp_path / "m")
    del kept["word_joins"]  # a folder of before
    file.write_text(json.dumps(kept))
    assert load_model(tmp_path / "m").task == TOKEN_CLASSIFICATION

    from_raw = loaded.learned_from([TOKEN_CLASSIFICATION.example_of("Ada's, too")])  # texts with spans
    assert from_raw == TOKEN_CLASSIFICATION
