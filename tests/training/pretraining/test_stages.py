"""Stages: what is read, what is refused, which step belongs to which."""

from __future__ import annotations

from dataclasses import replace

import pytest

from albertkit.config import published_config
from albertkit.errors import UsageError
from albertkit.training.pretraining.stages import Stage, Stages

NANO = published_config("albert-nano")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("6x128", [(6, 128, 1.0)]),
        ("1x64:.2,2x64:.2,6x128", [(1, 64, 0.2), (2, 64, 0.2), (6, 128, 0.6)]),
        ("1x64:0.5, 6x512:0.5", [(1, 64, 0.5), (6, 512, 0.5)]),
        ("1x64,6x64:.4,6x128", [(1, 64, 0.3), (6, 64, 0.4), (6, 128, 0.3)]),
    ],
)
def test_open_shares_divide_what_is_left(text: str, expected: list[tuple[int, int, float]]) -> None:
    assert Stages.parse(text).stages == tuple(Stage(*row) for row in expected)


@pytest.mark.parametrize("text", ["", "6", "6x", "x128", "6x128:", "6x128:-1", "6 x 128", "6x128;1x64", "6x128:1,"])
def test_another_form_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a stage; write LAYERSxLENGTH:SHARE"):
        Stages.parse(text)


@pytest.mark.parametrize(
    ("text", "sum_of_shares"),
    [("1x64:.5,6x64:.6", "1.1"), ("6x64:.9", "0.9"), ("1x64:1,6x64", "1"), ("1x64:0,6x64", "0")],
)
def test_shares_that_make_no_whole_are_refused(text: str, sum_of_shares: str) -> None:
    with pytest.raises(UsageError, match=f'the shares of "{text}" make {sum_of_shares}; they are above 0 and make 1'):
        Stages.parse(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("7x64", "a stage has 7 layers; the network has 1 to 6"),
        ("0x64:.5,6x64", "a stage has 0 layers"),
        ("6x7", "sequences of 7 tokens; the length must be 8 to 512"),
        ("6x513", "sequences of 513 tokens"),
        ("6x512", "--batch-tokens 511 is less than one sequence of 512 tokens"),
        ("6x64:.5,3x64", "the last stage has 3 layers; it must train all 6"),
    ],
)
def test_what_the_network_cannot_do_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        Stages.parse(text).check(NANO, batch_tokens=511)


def test_layers_grow_only_where_weights_are_shared() -> None:
    groups = replace(NANO, num_hidden_groups=2)
    Stages.parse("6x64:.5,6x128").check(groups, batch_tokens=4096)
    with pytest.raises(UsageError, match="all layers share one group"):
        Stages.parse("3x64:.5,6x128").check(groups, batch_tokens=4096)
    Stages.parse("3x64:.5,6x128").check(NANO, batch_tokens=4096)


def test_every_step_has_its_stage() -> None:
    stages = Stages.parse("1x64:.2,2x64:.3,6x128:.5")
    numbers = [stages.at(step, total_steps=10)[0] for step in range(10)]
    assert numbers == [0, 0, 1, 1, 1, 2, 2, 2, 2, 2]
    assert stages.at(9, total_steps=10)[1] == Stage(6, 128, 0.5)
    assert stages.at(10, total_steps=10)[0] == 2  # a run that is over still has a stage
    thirds = Stages.parse("1x64,2x64,6x128")
    assert [[thirds.at(step, total_steps=100)[0] for step in range(100)].count(number) for number in range(3)] == [
        33, 34, 33,
    ]  # fmt: skip


def test_the_text_form_can_be_read_again() -> None:
    for text in ("6x128:1", "1x64:0.2,2x64:0.2,6x128:0.6"):
        assert str(Stages.parse(text)) == text
    thirds = Stages.parse("1x64,2x64,6x128")
    again = Stages.parse(str(thirds))
    assert [stage.share for stage in again.stages] == pytest.approx([stage.share for stage in thirds.stages], abs=1e-5)
