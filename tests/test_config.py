"""AlbertConfig: the published shapes, the group rule, and invalid values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from albertkit.config import LARGEST, PUBLISHED, AlbertConfig, nearest_model, published_config
from albertkit.errors import ConfigError, UsageError


# size: hidden, layers, heads, intermediate (the paper's table 1 and the published config files)
@pytest.mark.parametrize(
    ("size", "shape"),
    [
        ("base", (768, 12, 12, 3072)),
        ("large", (1024, 24, 16, 4096)),
        ("xlarge", (2048, 24, 16, 8192)),
        ("xxlarge", (4096, 12, 64, 16384)),
    ],
)
def test_published_shapes(size: str, shape: tuple[int, ...]) -> None:
    for version, act, vocabulary in (("v1", "gelu", 30000), ("v2", "gelu_new", 30000), ("zh", "relu", 21128)):
        config = published_config(f"albert-{size}-{version}")
        heads = 16 if (size, version) == ("xxlarge", "zh") else shape[2]
        assert (config.hidden_size, config.num_hidden_layers, config.num_attention_heads) == (shape[0], shape[1], heads)
        assert (config.intermediate_size, config.hidden_act, config.vocab_size) == (shape[3], act, vocabulary)
        assert (config.embedding_size, config.num_hidden_groups, config.inner_group_num) == (128, 1, 1)
        assert config.layer_norm_eps == 1e-12
        dropout = 0.1 if version == "v1" and size != "xxlarge" else 0.0
        assert config.hidden_dropout_prob == config.attention_probs_dropout_prob == dropout


def test_the_names_are_a_contract() -> None:
    sizes = ("base", "large", "xlarge", "xxlarge")
    assert set(PUBLISHED) == {"albert-nano", *(f"albert-{size}-{v}" for size in sizes for v in ("v1", "v2", "zh"))}


@given(st.integers(1, 64), st.data())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault
def test_groups_are_used_in_order_each_at_least_once(layers: int, data: st.DataObject) -> None:
    groups = data.draw(st.integers(1, layers))
    config = AlbertConfig(num_hidden_layers=layers, num_hidden_groups=groups)
    used = [config.group_of_layer(layer) for layer in range(layers)]
    assert used == sorted(used)
    assert set(used) == set(range(groups))


@pytest.mark.parametrize("layers", [22, 23, 26, 39, 43])  # where int(i / L * G) of Google's code rounds wrongly
def test_as_many_groups_as_layers_are_one_each(layers: int) -> None:
    config = AlbertConfig(num_hidden_layers=layers, num_hidden_groups=layers)
    assert [config.group_of_layer(layer) for layer in range(layers)] == list(range(layers))


def test_json_and_back(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    for config in PUBLISHED.values():
        path.write_text(json.dumps({**config.to_dict(), "model_type": "albert", "net_structure_type": 0}))
        assert AlbertConfig.from_file(path) == config


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"hidden_size": 0}, "hidden_size is 0, not a whole number from 1 to"),
        ({"hidden_size": 7.5}, "hidden_size is 7.5, not a whole number from 1 to"),
        ({"num_hidden_layers": True}, "num_hidden_layers is True, not a whole number from 1 to"),
        ({"vocab_size": "many"}, "vocab_size is 'many', not a whole number from 1 to"),
        ({"hidden_dropout_prob": 1.0}, r"hidden_dropout_prob is 1.0, not a probability in \[0, 1\)"),
        ({"layer_norm_eps": 0}, "layer_norm_eps is 0, not a positive number"),
        ({"layer_norm_eps": float("nan")}, "layer_norm_eps is nan"),
        ({"hidden_act": "swish"}, "hidden_act is 'swish', not one of gelu, gelu_new, relu"),
        ({"hidden_size": 100, "num_attention_heads": 7}, "7 attention heads do not divide hidden_size 100"),
        ({"num_hidden_layers": 2, "num_hidden_groups": 3}, "3 groups are more than 2 layers"),
        ({"hiden_size": 5}, 'unknown configuration key "hiden_size"; did you mean "hidden_size"'),
        ({"net_structure_type": 1}, "net_structure_type 1 is not supported"),
    ],
)
def test_values_that_cannot_be_are_named_with_their_file(values: dict[str, Any], words: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(values))
    with pytest.raises(ConfigError, match=words) as caught:
        AlbertConfig.from_file(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize("name", LARGEST)
def test_no_size_is_without_bound(name: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({name: LARGEST[name] + 1}))
    with pytest.raises(ConfigError, match=f"{name} is {LARGEST[name] + 1}, not a whole number from 1 to"):
        AlbertConfig.from_file(tmp_path / "config.json")
    published = max(getattr(config, name) for config in PUBLISHED.values())
    assert LARGEST[name] >= 16 * published


@pytest.mark.parametrize(("content", "words"), [("{", "cannot be read as JSON"), ("[1]", "holds list, not a mapping")])
def test_files_that_are_no_configuration(content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(content)
    with pytest.raises(ConfigError, match=words):
        AlbertConfig.from_file(tmp_path / "c.json")
    with pytest.raises(ConfigError, match="cannot be read"):
        AlbertConfig.from_file(tmp_path / "absent.json")


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UsageError, match='unknown model "albert-bass-v2"; did you mean "albert-base-v2"'):
        published_config("albert-bass-v2")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("albert-base", "albert-base-v2"), ("albert-xxlarge", "albert-xxlarge-v2"), ("albert-base-v3", "albert-base-v2"),
     ("alber-base-zh", "albert-base-zh"), ("albert_base_v1", "albert-base-v1"), ("albert-nanno", "albert-nano")],
)  # fmt: skip
def test_of_equally_near_models_the_newest_english_one_is_suggested(name: str, nearest: str) -> None:
    assert nearest_model(name) == f'; did you mean "{nearest}"?'


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"hidden_size": ' + "9" * 4000 + "}", '{"hidden_act": ["gelu"]}', '{"' + "x" * 50_000 + '": 1}',
     '{"hidden_dropout_prob": NaN}', '{"layer_norm_eps": "1"}', '{"net_structure_type": {"a": 1}}',
     "{" + ",".join(f'"key{number}": 1' for number in range(9000)) + "}"],
)  # fmt: skip
def test_damaged_files_are_one_short_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ConfigError) as caught:
        AlbertConfig.from_file(tmp_path / "config.json")
    assert len(str(caught.value)) < 3000
