"""`albertkit info`."""

from __future__ import annotations

from pathlib import Path

from tests.cli.running import Runner
from tests.tiny import CONFIG, tiny_folder, tiny_network

from albertkit.checkpoints.shapes import flops_per_token, parameter_counts
from albertkit.config import published_config


def test_a_published_shape(albertkit: Runner) -> None:
    found = albertkit("info", "albert-base-v2", "--json").json
    assert list(found)[:5] == ["config", "parameters", "unshared_parameters", "reduction", "flops_per_token"]
    assert list(found["parameters"]) == ["total", "embeddings", "projection", "shared_layers", "pooler", "heads"]
    assert found["config"] == published_config("albert-base-v2").to_dict()
    parameters = found["parameters"]
    assert parameters["total"] == 11683584 == sum(value for part, value in parameters.items() if part != "total")
    # BERT base with the same vocabulary: 12 layers and embeddings of 768.
    assert found["unshared_parameters"] == 109081344
    assert found["reduction"] == 1 - 11683584 / 109081344
    assert found["flops_per_token"] == flops_per_token(published_config("albert-base-v2"))


def test_a_folder_is_counted_as_torch_counts(albertkit: Runner, run_folder: Path) -> None:
    own = sum(parameter.numel() for parameter in tiny_network().parameters())
    bare = albertkit("info", tiny_folder(), "--json").json["parameters"]
    run = albertkit("info", run_folder, "--json").json["parameters"]
    assert (bare["total"], bare["heads"]) == (own, 0)
    assert (run["total"], run["heads"]) == (own + 2 * 16 + 2, 2 * 16 + 2)
    assert parameter_counts(CONFIG)["total"] == own
    nano = albertkit("info", "albert-nano", "--json").json["parameters"]
    assert nano["heads"] == (256 * 224 + 224 + 2 * 224 + 30000) + (2 * 256 + 2)  # both heads of pretraining are there


def test_the_text_explains_the_saving(albertkit: Runner) -> None:
    text = " ".join(albertkit("info", "albert-base-v2").out.split())
    assert "unshared and unfactorized has 109,081,344 parameters: ALBERT saves 89.3%" in text
    assert "170.1 million floating-point operations a token" in text
