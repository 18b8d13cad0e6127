"""A changed model next to the original: a worse one is refused."""

from __future__ import annotations

import pytest
import torch
from tests.tiny import CONFIG, execution

from albertkit.data.examples import TextExample
from albertkit.datasets.dataset import Dataset
from albertkit.encoder.encoder import Encoder
from albertkit.evaluation.kept import MetricLostError, check_kept
from albertkit.inference.predictor import Predictor
from albertkit.models.loaded import Model
from albertkit.models.pretrained import with_task_head
from albertkit.tasks.network import Network
from albertkit.text.tokenizer import Tokenizer

TEXTS = ["a splendid film", "no", "so dreadful that we left", "Is it? It is.", "boring", "very charming"]


def predictor(*, turned: bool) -> Predictor:
    torch.manual_seed(11)
    bare = Model(Network(Encoder(CONFIG), {}), Tokenizer.official(), max_length=32)
    model = with_task_head(bare, task="classification", labels=("bad", "good"))
    if turned:
        for weight in model.network.heads["classifier"].parameters():
            weight.data.neg_()
    return Predictor(model, execution=execution())


def test_what_the_changed_model_loses_is_counted_and_too_much_is_refused() -> None:
    original, turned = predictor(turned=False), predictor(turned=True)
    labels = [original.labels.index(row["label"]) for row in original.predict(TEXTS)]
    examples = [TextExample(text, label=label) for text, label in zip(TEXTS, labels, strict=True)]
    dataset = Dataset("mine", "dev", "classification", ("bad", "good"), ("accuracy",), examples)
    kept = check_kept(original, predictor(turned=False), dataset)
    assert (kept.metric, kept.before, kept.after, kept.examples) == ("accuracy", 100, 100, 6)
    with pytest.raises(MetricLostError, match=r"accuracy on 6 examples of mine dev falls from 100.00 to 0.00"):
        check_kept(original, turned, dataset)
    assert check_kept(turned, original, dataset).after == 100  # to gain is no loss
    assert check_kept(original, turned, dataset, most=100).after == 0
