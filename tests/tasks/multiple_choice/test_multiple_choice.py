"""Multiple choice: RACE's texts, truncation, the loss, transformers' head, a tiny network that learns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.tiny import BAD, CONFIG, GOOD, execution, settings

import albertkit
from albertkit.data.examples import ChoiceExample
from albertkit.errors import DataError
from albertkit.inference.predictor import Predictor
from albertkit.models.pretrained import load_model
from albertkit.tasks.encoded import Encoded
from albertkit.tasks.multiple_choice import MULTIPLE_CHOICE, question_with_option
from albertkit.tasks.multiple_choice.head import MULTIPLE_CHOICE as OBJECTIVE
from albertkit.text.tokenizer import Tokenizer

QUESTION = ChoiceExample(
    "The cat sat on the mat.", "Where did it sit?", ("on the mat", "in a tree", "nowhere"), 0, "q1"
)
CLOZE = ChoiceExample("Ann is ten.", "Ann is _ years old.", ("ten", "two"), 0, "q2")


def test_the_texts_are_google_s() -> None:
    assert question_with_option(CLOZE.question, "two") == "Ann is two years old."
    assert question_with_option(QUESTION.question, "in a tree") == "Where did it sit? in a tree"
    assert question_with_option("", "in a tree") == "in a tree"


def test_encoded() -> None:
    tokenizer = Tokenizer.official()
    encoded = MULTIPLE_CHOICE.encode(tokenizer, [QUESTION, CLOZE], max_length=64)
    assert (encoded.counts.tolist(), len(encoded.sequences)) == ([3, 2], 5)
    expected = tokenizer.encode(QUESTION.context, "Where did it sit? in a tree")
    assert encoded.sequences[1].input_ids.tolist() == expected.input_ids
    assert encoded.sequences[1].token_type_ids.tolist() == expected.token_type_ids
    assert MULTIPLE_CHOICE.unit_targets(encoded, [QUESTION, CLOZE], num_labels=0).tolist() == [0, 0]
    with pytest.raises(DataError, match="example q1: the right option is 7, and there are 3"):
        MULTIPLE_CHOICE.unit_targets(encoded, [ChoiceExample("a", "b", QUESTION.options, 7, "q1")], num_labels=0)
    with pytest.raises(DataError, match="example q9 has 1 options"):
        MULTIPLE_CHOICE.encode(tokenizer, [ChoiceExample("a", "b", ("c",), 0, "q9")], max_length=64)


def test_the_article_gives_way_and_the_end_of_question_and_option_stays() -> None:
    long = ChoiceExample("word " * 300, "ask " * 200, ("right", "wrong"), 0)
    encoded = MULTIPLE_CHOICE.encode(Tokenizer.official(), [long], max_length=200)
    first = encoded.sequences[0]
    assert len(first) == 200
    assert first.truncated == 300 + 128 - 197
    expected = Tokenizer.official().tokenize("right")
    wide = MULTIPLE_CHOICE.encode(Tokenizer.official(), [long], max_length=512).sequences[0]
    assert Tokenizer.official().pieces(wide.input_ids[-1 - len(expected) : -1]) == expected
    assert int(wide.token_type_ids.sum()) == 128 + 1


def test_predictions_weigh_the_options_of_one_question() -> None:
    encoded = Encoded([], np.array([3, 2]), np.array([0, 1]))
    outputs = [np.array([value], np.float32) for value in (0.0, 800.0, 1.0, 5.0, 5.0)]
    first, second = MULTIPLE_CHOICE.predictions(outputs, encoded, [QUESTION, CLOZE])
    assert (first["choice"], first["option"]) == (1, "in a tree")
    assert second["probabilities"] == [0.5, 0.5]


def test_losses_are_torch_s() -> None:
    scores = torch.randn(9, 1, generator=torch.Generator().manual_seed(1))
    counts = np.array([4, 2, 3])
    found = OBJECTIVE.losses_of(scores, lengths=np.ones(9, int), counts=counts, targets=torch.tensor([3, 0, 1]))
    parts = torch.split(scores[:, 0], counts.tolist())
    for loss, part, target in zip(found, parts, (3, 0, 1), strict=True):
        assert loss == pytest.approx(float(torch.nn.functional.cross_entropy(part[None], torch.tensor([target]))))


def test_the_head_of_transformers(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    peer = transformers.AlbertForMultipleChoice(transformers.AlbertConfig(**CONFIG.to_dict())).eval()
    peer.save_pretrained(tmp_path / "m")
    model = load_model(tmp_path / "m")
    assert model.task is MULTIPLE_CHOICE
    predictor = Predictor(model, execution=execution())
    encoded = predictor.encode([QUESTION], max_length=64)
    padded: dict[str, Any] = {
        name: torch.from_numpy(array)[None]
        for name, array in albertkit.batching.batch.Batch.pack(encoded.sequences).pad().items()
    }
    with torch.inference_mode():
        expected = peer(**padded).logits[0].softmax(-1)
    (found,) = predictor.predict_examples([QUESTION], max_length=64)
    np.testing.assert_allclose(found["probabilities"], expected.numpy(), atol=1e-5)


@pytest.mark.learning
def test_a_tiny_network_learns(tmp_path: Path) -> None:
    draw = np.random.RandomState(0)
    with open(tmp_path / "choices.jsonl", "w") as file:
        for number in range(64):
            options = [str(draw.choice(BAD)) for _ in range(3)]
            label = number % 3
            options[label] = str(draw.choice(GOOD))
            row = {"context": "a film", "question": "how was it?", "options": options, "label": label, "id": number}
            file.write(json.dumps(row) + "\n")
    report = albertkit.finetune(
        settings(tmp_path / "choices.jsonl", tmp_path / "run", task="multiple_choice", epochs=6, learning_rate=1e-2)
    )
    assert report.metrics["accuracy"] > 90
    assert {baseline.name for baseline in report.baselines} == {"longest_option", "guessing"}
    again = albertkit.load(tmp_path / "run", execution=execution())
    assert again.model.task is MULTIPLE_CHOICE
