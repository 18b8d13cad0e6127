"""Names, shapes and counts of the canonical state, and the one error that lists every problem."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch

from albertkit.checkpoints.shapes import encoder_shapes, head_shapes
from albertkit.checkpoints.state import check_state, is_deep
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError

TINY = AlbertConfig(
    vocab_size=31,
    embedding_size=5,
    hidden_size=14,
    num_hidden_layers=3,
    num_attention_heads=2,
    intermediate_size=11,
    max_position_embeddings=13,
)

# The contract: changing one of these names breaks every saved head.safetensors and every user's hook.
GOLDEN = """
embeddings.word.weight 31 5
embeddings.position.weight 13 5
embeddings.token_type.weight 2 5
embeddings.norm.weight 5
embeddings.norm.bias 5
embeddings.projection.weight 14 5
embeddings.projection.bias 14
groups.0.layers.0.attention.query.weight 14 14
groups.0.layers.0.attention.query.bias 14
groups.0.layers.0.attention.key.weight 14 14
groups.0.layers.0.attention.key.bias 14
groups.0.layers.0.attention.value.weight 14 14
groups.0.layers.0.attention.value.bias 14
groups.0.layers.0.attention.output.weight 14 14
groups.0.layers.0.attention.output.bias 14
groups.0.layers.0.attention.norm.weight 14
groups.0.layers.0.attention.norm.bias 14
groups.0.layers.0.ffn.up.weight 11 14
groups.0.layers.0.ffn.up.bias 11
groups.0.layers.0.ffn.down.weight 14 11
groups.0.layers.0.ffn.down.bias 14
groups.0.layers.0.ffn.norm.weight 14
groups.0.layers.0.ffn.norm.bias 14
pooler.weight 14 14
pooler.bias 14
heads.mlm.dense.weight 5 14
heads.mlm.dense.bias 5
heads.mlm.norm.weight 5
heads.mlm.norm.bias 5
heads.mlm.bias 31
heads.sop.weight 2 14
heads.sop.bias 2
heads.classifier.weight 3 14
heads.classifier.bias 3
heads.tags.weight 3 14
heads.tags.bias 3
heads.span.weight 2 14
heads.span.bias 2
heads.choice.weight 1 14
heads.choice.bias 1
"""


def filled(config: AlbertConfig, **heads: int | None) -> dict[str, torch.Tensor]:
    shapes = encoder_shapes(config)
    for head, labels in heads.items():
        shapes |= head_shapes(config, head, labels)
    return {name: torch.ones(shape) for name, shape in shapes.items()}


def test_names_and_shapes_are_the_golden_list() -> None:
    shapes = encoder_shapes(TINY)
    for head in ("mlm", "sop", "classifier", "tags", "span", "choice"):
        shapes |= head_shapes(TINY, head, 3)
    lines = [" ".join([name, *map(str, shape)]) for name, shape in shapes.items()]
    assert lines == GOLDEN.strip().splitlines()


def test_groups_and_inner_layers_have_tensors_of_their_own() -> None:
    shapes = encoder_shapes(replace(TINY, num_hidden_groups=2, inner_group_num=2))
    layers = {tuple(name.split(".")[1:4:2]) for name in shapes if name.startswith("groups.")}
    assert layers == {("0", "0"), ("0", "1"), ("1", "0"), ("1", "1")}


def test_no_projection_between_equal_sizes() -> None:
    assert not [name for name in encoder_shapes(replace(TINY, embedding_size=14)) if "projection" in name]


def test_a_state_that_fits_passes() -> None:
    check_state(TINY, filled(TINY, mlm=None, classifier=3), where="file", heads=("mlm", "classifier"), num_labels=3)


def test_every_problem_stands_in_one_error() -> None:
    state = filled(TINY, classifier=3)
    del state["pooler.bias"]
    state["stray"] = torch.ones(1)
    state["heads.sop.weight"] = torch.ones(2, 14)
    state["embeddings.norm.bias"] = torch.ones(7)
    state["embeddings.norm.weight"][2] = float("nan")
    state["groups.0.layers.0.ffn.up.bias"] = torch.ones(11, dtype=torch.int64)
    with pytest.raises(CheckpointError) as caught:
        check_state(TINY, state, where="folder/file", heads=("classifier",), num_labels=2)
    assert str(caught.value).splitlines() == [
        "folder/file: 8 tensors do not fit the configuration; repair the file or its configuration",
        "  missing (1):",
        "    pooler.bias [14]",
        "  unexpected (2):",
        "    stray [1]",
        "    heads.sop.weight [2, 14]",
        "  mis-shaped (3):",
        "    embeddings.norm.bias [7], expected [5]",
        "    heads.classifier.weight [3, 14], expected [2, 14]",
        "    heads.classifier.bias [3], expected [2]",
        "  not numbers (2):",
        "    embeddings.norm.weight holds 1 of 5 values NaN or infinite",
        "    groups.0.layers.0.ffn.up.bias holds int64 values",
    ]


def test_a_long_list_is_capped_and_counted() -> None:
    state = {**filled(TINY), **{f"stray.{index}": torch.ones(1) for index in range(23)}}
    with pytest.raises(CheckpointError, match=re.compile(r"unexpected \(23\):.*stray\.19 .*\.\.\. and 3 more$", re.S)):
        check_state(TINY, state, where="file")


def test_names_of_the_file_stand_beside_the_canonical_ones() -> None:
    state = filled(TINY)
    del state["pooler.weight"]
    with pytest.raises(CheckpointError, match=re.escape("pooler.weight (p/kernel in the file) [14, 14]")):
        check_state(TINY, state, where="file", name_in_file=lambda _: "p/kernel")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_values_that_are_no_numbers(value: float, dtype: torch.dtype) -> None:
    state = {name: tensor.to(dtype) for name, tensor in filled(TINY).items()}
    state["pooler.weight"][3, :2] = value
    with pytest.raises(CheckpointError, match=r"pooler\.weight holds 2 of 196 values NaN or infinite"):
        check_state(TINY, state, where="file")


def test_a_sum_that_overflows_is_no_problem() -> None:
    state = {name: torch.full(shape, 3e38) for name, shape in encoder_shapes(TINY).items()}
    check_state(TINY, state, where="file")
    check_state(TINY, {name: torch.full(t.shape, 6e4).half() for name, t in state.items()}, where="file")


def test_the_pooler_may_be_absent_as_a_whole() -> None:
    state = {name: tensor for name, tensor in filled(TINY, mlm=None).items() if not name.startswith("pooler.")}
    check_state(TINY, state, where="file", heads=("mlm",), pooler=False)
    with pytest.raises(CheckpointError, match=r"missing \(2\)"):
        check_state(TINY, state, where="file", heads=("mlm",))


def test_a_deep_head_has_shapes_of_its_own() -> None:
    state = filled(TINY)
    state["heads.classifier.hidden.0.weight"] = torch.ones(30, 14)
    state["heads.classifier.output.weight"] = torch.ones(3, 30)
    state["heads.classifier.hidden.0.norm.num_batches_tracked"] = torch.tensor(7)
    assert is_deep(state, "classifier")
    check_state(TINY, state, where="file", heads=("classifier",), num_labels=3)
    state["heads.classifier.output.weight"][0, 0] = float("nan")
    with pytest.raises(CheckpointError, match=r"heads\.classifier\.output\.weight holds 1 of 90"):
        check_state(TINY, state, where="file", heads=("classifier",))
