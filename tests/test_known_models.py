"""The list of known models: the paper's numbers, equal to what torch counts."""

from __future__ import annotations

import pytest
import torch
from tests.tiny import CONFIG, tiny_network
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from albertkit.checkpoints.state import parameter_counts
from albertkit.config import PUBLISHED, AlbertConfig
from albertkit.known_models import encoder_parameters, flops_per_token, known_models

ODD = AlbertConfig(
    vocab_size=31,
    embedding_size=6,
    hidden_size=6,
    num_hidden_layers=5,
    num_hidden_groups=2,
    inner_group_num=3,
    num_attention_heads=2,
    intermediate_size=7,
)


# Hugging Face's published models, encoder and pooler
@pytest.mark.parametrize(
    ("size", "parameters"), [("base", 11683584), ("large", 17683968), ("xlarge", 58724864), ("xxlarge", 222595584)]
)
def test_published_counts(size: str, parameters: int) -> None:
    for version in ("v1", "v2"):
        (row,) = (row for row in known_models() if row["name"] == f"albert-{size}-{version}")
        assert row["parameters"] == parameters
        assert (row["version"], row["size"], row["cached"]) == (version, size, False)


@pytest.mark.parametrize("config", [*PUBLISHED.values(), CONFIG, ODD])
def test_both_counts_agree(config: AlbertConfig) -> None:
    assert encoder_parameters(config) == parameter_counts(config)["total"]


def test_the_count_is_torch_s() -> None:
    assert encoder_parameters(CONFIG) == sum(parameter.numel() for parameter in tiny_network().parameters())


@pytest.mark.parametrize("config", [CONFIG, ODD])
def test_operations_are_those_of_the_linear_maps(config: AlbertConfig) -> None:
    # Apply every linear map below the pooler as often as the network does, and let torch count.
    encoder = tiny_network(config=config).encoder
    with FlopCounterMode(display=False) as counter:
        for name, module in encoder.named_modules():
            if isinstance(module, nn.Linear) and name != "pooler":
                group = int(name.split(".")[1]) if name.startswith("groups") else None
                layers = range(config.num_hidden_layers)
                times = 1 if group is None else sum(config.group_of_layer(layer) == group for layer in layers)
                for _ in range(times):
                    module(torch.zeros(1, module.in_features))
    assert flops_per_token(config) == counter.get_total_flops()


def test_a_row_holds_the_contract_s_keys() -> None:
    keys = ["name", "version", "size", "parameters", "layers", "hidden_size", "heads", "licence", "source", "cached"]
    assert all(list(row) == keys for row in known_models())
    assert [row["name"] for row in known_models()] == list(PUBLISHED)
    assert [row["name"] for row in known_models() if row["cached"]] == ["albert-nano"]
