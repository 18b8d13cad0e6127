"""The rename tables: every name goes there and back, and clashes are told."""

from __future__ import annotations

import pytest

from albertkit.checkpoints.huggingface import rename_table
from albertkit.checkpoints.huggingface_config import ARCHITECTURES
from albertkit.checkpoints.rename import RenameTable
from albertkit.checkpoints.shapes import encoder_shapes, head_shapes
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError

TWO_BY_TWO = AlbertConfig(
    vocab_size=31,
    embedding_size=5,
    hidden_size=14,
    num_hidden_layers=3,
    num_hidden_groups=2,
    inner_group_num=2,
    num_attention_heads=2,
    intermediate_size=11,
)


def test_placeholders_stand_for_the_same_text_on_both_sides() -> None:
    table = RenameTable([("groups.{group}.layers.{layer}.ffn.up.{leaf}", "g{group}/i{layer}/up/{leaf}")])
    assert table.to_canonical("g1/i12/up/bias") == "groups.1.layers.12.ffn.up.bias"
    assert table.to_foreign("groups.1.layers.12.ffn.up.bias") == "g1/i12/up/bias"
    assert table.to_canonical("g1/i12/up/gamma") is None
    assert table.to_canonical("xg1/i12/up/bias") is None


def test_dots_of_a_row_are_dots() -> None:
    assert RenameTable([("a.b", "c.d")]).to_foreign("aXb") is None


def test_the_first_row_that_matches_counts() -> None:
    table = RenameTable([("pooler.weight", "first"), ("pooler.{leaf}", "second.{leaf}")])
    assert table.to_foreign("pooler.weight") == "first"
    assert table.to_foreign("pooler.bias") == "second.bias"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_name_goes_there_and_back(architecture: str) -> None:
    table = rename_table(architecture)
    names = list(encoder_shapes(TWO_BY_TWO))
    for head in ARCHITECTURES[architecture]:
        names += head_shapes(TWO_BY_TWO, head, 3)
    foreign = [table.to_foreign(name) for name in names]
    assert None not in foreign
    assert len(set(foreign)) == len(names)
    assert [table.to_canonical(str(name)) for name in foreign] == names


def test_read_and_write_are_inverse_and_keep_what_they_do_not_know() -> None:
    table = rename_table("AlbertForPreTraining")
    canonical = {name: index for index, name in enumerate(encoder_shapes(TWO_BY_TWO))}
    foreign, unknown = table.write({**canonical, "mine": -1})
    assert unknown == {"mine": -1}
    assert table.read({**foreign, "theirs": -2}, where="file") == (canonical, {"theirs": -2})


def test_two_names_for_one_tensor_are_refused() -> None:
    table = RenameTable([("pooler.bias", "b1"), ("pooler.bias", "b2")])
    with pytest.raises(CheckpointError, match=r'^file: "b2" is a second tensor for pooler\.bias; remove one'):
        table.read({"b1": 0, "b2": 0}, where="file")
