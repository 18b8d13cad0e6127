"""A model with exits in other formats: with the model where there is room, else left out with a note."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.tiny import CONFIG, tiny_network

from albertkit.models.conversion import convert
from albertkit.models.loaded import Model
from albertkit.models.model_files import read_model
from albertkit.models.pretrained import save_model, with_exits, with_task_head
from albertkit.text.tokenizer import Tokenizer


@pytest.mark.parametrize("to", ["tf1", "bson", "huggingface"])
def test_exits_are_kept_where_they_have_a_place(to: str, tmp_path: Path) -> None:
    model = Model(tiny_network(config=replace(CONFIG, hidden_act="gelu_new")), Tokenizer.official(), source="tiny")
    model = with_exits(with_task_head(model, task="classification", labels=("LABEL_0", "LABEL_1")))
    save_model(model, tmp_path / "model")
    done = convert(tmp_path / "model", tmp_path / f"out.{to}", to=to)
    kept = to == "huggingface"
    told = f"{to} cannot store the exits after each layer: the model is converted without them"
    assert (told in done.notes) is not kept
    assert set(read_model(tmp_path / f"out.{to}").heads) == ({"classifier", "exits"} if kept else {"classifier"})
