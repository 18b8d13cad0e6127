"""albertkit: the toolkit for ALBERT. The names below are the public ones; each is loaded when first used."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# OpenMP's threads wait for each other after every operation. By default they spin while they wait: where another
# program holds a core, two threads then take several times as long as one. OpenMP reads this when PyTorch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_PUBLIC = {
    "AlbertClassifier": "albertkit.estimators.classifier",
    "AlbertConfig": "albertkit.config",
    "AlbertEmbedder": "albertkit.estimators.embedder",
    "AlbertRegressor": "albertkit.estimators.regressor",
    "AlbertkitError": "albertkit.errors",
    "Batch": "albertkit.batching.batch",
    "DistillSettings": "albertkit.training.distillation.settings",
    "FinetuneSettings": "albertkit.training.settings",
    "PretrainSettings": "albertkit.training.pretraining.settings",
    "TextExample": "albertkit.data.examples",
    "distill": "albertkit.training.distillation.distill",
    "evaluate": "albertkit.evaluation.evaluate",
    "finetune": "albertkit.training.finetune",
    "load": "albertkit.inference.predictor",
    "load_dataset": "albertkit.datasets",
    "load_encoder": "albertkit.models.pretrained",
    "load_tokenizer": "albertkit.models.tokenizers",
    "prepare": "albertkit.data.corpus.prepare",
    "pretrain": "albertkit.training.pretraining.pretrain",
}

__all__ = [
    "AlbertClassifier",
    "AlbertConfig",
    "AlbertEmbedder",
    "AlbertRegressor",
    "AlbertkitError",
    "Batch",
    "DistillSettings",
    "FinetuneSettings",
    "PretrainSettings",
    "TextExample",
    "distill",
    "evaluate",
    "finetune",
    "load",
    "load_dataset",
    "load_encoder",
    "load_tokenizer",
    "prepare",
    "pretrain",
]

if TYPE_CHECKING:
    from albertkit.batching.batch import Batch
    from albertkit.config import AlbertConfig
    from albertkit.data.corpus.prepare import prepare
    from albertkit.data.examples import TextExample
    from albertkit.datasets import load_dataset
    from albertkit.errors import AlbertkitError
    from albertkit.estimators.classifier import AlbertClassifier
    from albertkit.estimators.embedder import AlbertEmbedder
    from albertkit.estimators.regressor import AlbertRegressor
    from albertkit.evaluation.evaluate import evaluate
    from albertkit.inference.predictor import load
    from albertkit.models.pretrained import load_encoder
    from albertkit.models.tokenizers import load_tokenizer
    from albertkit.training.distillation.distill import distill
    from albertkit.training.distillation.settings import DistillSettings
    from albertkit.training.finetune import finetune
    from albertkit.training.pretraining.pretrain import pretrain
    from albertkit.training.pretraining.settings import PretrainSettings
    from albertkit.training.settings import FinetuneSettings


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'albertkit' has no attribute {name!r}")
    value = getattr(importlib.import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
