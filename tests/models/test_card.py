"""The model card: read back by huggingface_hub, and by YAML's own parser for any text in it."""

from __future__ import annotations

import warnings
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st
from tests.tiny import keyword_rows, settings, tiny_folder, write_csv

from albertkit.models.card import yaml_lines
from albertkit.models.pretrained import load_model, save_model
from albertkit.training.finetune import finetune

yaml = pytest.importorskip("yaml")
hub = pytest.importorskip("huggingface_hub")


@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.too_slow], deadline=None)
@hypothesis.given(st.lists(st.text(), min_size=1, max_size=5), st.floats(-100, 100))
def test_yaml_is_read_back_as_it_was(texts: list[str], number: float) -> None:
    values = {"one": texts[0], "list": texts, "inner": {"text": texts[-1]}, "number": round(number, 4)}
    assert yaml.safe_load("\n".join(yaml_lines(values))) == values


def test_lists_of_mappings_nest() -> None:
    values = {
        "model-index": [{"name": "x", "results": [{"task": {"type": "t"}, "metrics": [{"value": 1.5}, {"b": 2}]}]}]
    }
    assert yaml.safe_load("\n".join(yaml_lines(values))) == values


def test_the_card_of_a_run_is_one_for_the_hub(tmp_path: Path) -> None:
    table = write_csv(tmp_path / "keywords.csv", keyword_rows(60))
    report = finetune(settings(table, tmp_path / "run", epochs=1, pooling="pooler"))
    card = hub.ModelCard.load(tmp_path / "run" / "model" / "README.md", ignore_metadata_errors=False)
    data = card.data
    assert (data.library_name, data.pipeline_tag) == ("transformers", "text-classification")
    assert data.model_name == "run"
    found = {result.metric_type: result.metric_value for result in data.eval_results}
    assert found == {name: round(value, 4) for name, value in report.metrics.items() if value is not None}
    (result, *_) = data.eval_results
    assert (result.dataset_name, result.dataset_split) == ("keywords.csv", report.split)
    assert "--data keywords.csv --out run" in card.text
    assert str(tmp_path) not in card.content
    assert "Every text gets one of the labels above" in card.text


def test_a_folder_without_a_training_has_a_card_too(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        save_model(load_model("albert-nano"), tmp_path / "nano")
    data = hub.ModelCard.load(tmp_path / "nano" / "README.md").data
    assert (data.language, data.license, data.pipeline_tag) == ("en", "apache-2.0", "sentence-similarity")
    assert data.library_name == "sentence-transformers"
    save_model(load_model(tiny_folder()), tmp_path / "own")
    assert hub.ModelCard.load(tmp_path / "own" / "README.md").data.license is None
