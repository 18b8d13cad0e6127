"""Counts of parameters and operations: the paper's, and equal to what torch counts."""

from __future__ import annotations

import pytest
import torch
from tests.tiny import CONFIG, tiny_network
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from albertkit.checkpoints.shapes import flops_per_token, parameter_counts, unshared_parameters
from albertkit.config import AlbertConfig, published_config

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


@pytest.mark.parametrize(
    "size, total", [("base", 11_683_584), ("large", 17_683_968), ("xlarge", 58_724_864), ("xxlarge", 222_595_584)]
)
def test_published_sizes(size: str, total: int) -> None:
    counts = parameter_counts(published_config(f"albert-{size}-v2"))
    assert counts["total"] == total
    assert sum(count for part, count in counts.items() if part != "total") == total
    assert counts["heads"] == 0


def test_parts_of_base() -> None:
    config = published_config("albert-base-v2")
    counts = parameter_counts(config, heads=("mlm", "sop"))
    assert counts["embeddings"] == (30000 + 512 + 2 + 2) * 128
    assert counts["projection"] == 768 * 128 + 768
    assert counts["shared_layers"] == 4 * (768 * 768 + 768) + 2 * 768 * 3072 + 3072 + 768 + 4 * 768
    assert counts["pooler"] == 768 * 768 + 768
    assert counts["heads"] == 768 * 128 + 128 + 2 * 128 + 30000 + 2 * 768 + 2
    assert counts["total"] == 11_683_584 + counts["heads"]


def test_saving_of_base_is_about_89_percent() -> None:
    config = published_config("albert-base-v2")
    unshared = unshared_parameters(config)
    layer = parameter_counts(config)["shared_layers"]
    assert unshared == (30000 + 512 + 2 + 2) * 768 + 12 * layer + 768 * 768 + 768
    assert 1 - 11_683_584 / unshared == pytest.approx(0.893, abs=5e-4)


def test_the_count_is_torch_s() -> None:
    assert parameter_counts(CONFIG)["total"] == sum(parameter.numel() for parameter in tiny_network().parameters())


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
