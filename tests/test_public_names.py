"""The public names: frozen, sorted, each loads; importing the package imports nothing heavy."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import albertkit

NAMES = [
    "AlbertClassifier",
    "AlbertConfig",
    "AlbertEmbedder",
    "AlbertRegressor",
    "AlbertkitError",
    "Batch",
    "ChoiceExample",
    "DistillSettings",
    "ExitRule",
    "FinetuneSettings",
    "Predictor",
    "PretrainSettings",
    "ReadOptions",
    "Report",
    "TextExample",
    "choose_execution",
    "convert",
    "distill",
    "evaluate",
    "explain",
    "fill_masks",
    "finetune",
    "holdout",
    "load",
    "load_dataset",
    "load_encoder",
    "load_tokenizer",
    "prepare",
    "pretrain",
    "pretraining_batches",
    "read_checkpoint",
    "score_file",
    "sentence_order",
]
"""A name that goes or comes is a line in CHANGELOG.md."""


def test_the_names_are_frozen_and_sorted() -> None:
    assert albertkit.__all__ == NAMES
    assert sorted(NAMES) == NAMES
    assert dir(albertkit) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_loads_and_says_what_it_is(name: str) -> None:
    value = getattr(albertkit, name)
    assert value.__name__ == name
    assert value.__doc__
    assert getattr(albertkit, name) is value


def test_other_names_are_none_of_ours() -> None:
    with pytest.raises(AttributeError, match="module 'albertkit' has no attribute 'Trainer'"):
        _ = albertkit.Trainer


def test_the_package_itself_imports_no_library() -> None:
    program = "import sys, albertkit; print(sorted({'numpy', 'torch', 'click'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


@pytest.mark.parametrize(("given", "kept"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")])
def test_waiting_threads_sleep_unless_the_user_says_otherwise(given: dict[str, str], kept: str) -> None:
    others = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    program = "import albertkit, os; print(os.environ['OMP_WAIT_POLICY'])"
    found = subprocess.run(
        [sys.executable, "-c", program], env=others | given, capture_output=True, text=True, check=True
    )
    assert found.stdout == f"{kept}\n"
