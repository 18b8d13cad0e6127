"""The one loop over the layers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.encoder.test_prepared import batch_of, encode, encoder_of

from albertkit.encoder.early_exit import ShrinkingWalk, leave_early
from albertkit.encoder.encoder import Encoder, EncoderOutput, EncoderWalk
from albertkit.encoder.prepared import PreparedEncoder, PreparedWalk, can_prepare
from albertkit.encoder.walk import full_depth, run_layers

KINDS = ["trainable", "prepared"]


def walk_of(kind: str, encoder: Encoder, *lengths: int) -> ShrinkingWalk:
    if kind == "trainable":
        return EncoderWalk(encoder, batch_of(*lengths))
    if not can_prepare(torch.device("cpu"), torch.float32):
        pytest.skip("this processor has no packed products")
    return PreparedWalk(PreparedEncoder(encoder, dtype=torch.float32), batch_of(*lengths))


@pytest.mark.parametrize("kind", KINDS)
def test_full_depth_is_what_the_encoder_says(kind: str) -> None:
    encoder = encoder_of(inner_group_num=2, num_hidden_groups=2)
    wanted = encode(encoder, batch_of(9, 7, 7, 1))
    with torch.inference_mode():
        found = full_depth(walk_of(kind, encoder, 9, 7, 7, 1))
    torch.testing.assert_close(found.sequence_output, wanted.sequence_output, rtol=0, atol=2e-5)
    torch.testing.assert_close(found.pooled_output, wanted.pooled_output, rtol=0, atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_fewer_layers_run_while_fewer_are_active(kind: str) -> None:
    encoder = encoder_of()
    encoder.active_layers = 3
    with torch.inference_mode():
        assert list(run_layers(walk_of(kind, encoder, 5, 3))) == [0, 1, 2]


@pytest.mark.parametrize("kind", KINDS)
def test_early_exit_that_no_sequence_uses_is_full_depth_to_the_bit(kind: str) -> None:
    encoder = encoder_of()

    def nobody(layer: int, output: EncoderOutput) -> tuple[np.ndarray, np.ndarray]:
        del layer
        return output.pooled_output.numpy(), np.zeros(len(output.lengths), np.bool_)

    with torch.inference_mode():
        left = leave_early(walk_of(kind, encoder, 9, 7, 7, 1), decide=nobody)
        wanted = full_depth(walk_of(kind, encoder, 9, 7, 7, 1))
    assert left.layers.tolist() == [4] * 4
    np.testing.assert_array_equal(left.rows, wanted.pooled_output.numpy())


@pytest.mark.parametrize("kind", KINDS)
def test_who_stays_keeps_its_states(kind: str) -> None:
    encoder = encoder_of()
    with torch.inference_mode():
        walk = walk_of(kind, encoder, 9, 7, 5, 1)
        for layer in run_layers(walk):
            if layer == 1:
                before = walk.finish()
                walk.keep(np.array([1, 3]))
                after = walk.finish()
                torch.testing.assert_close(after.sequence_output[:7], before.sequence_output[9:16], rtol=0, atol=0)
                torch.testing.assert_close(after.sequence_output[7:], before.sequence_output[21:], rtol=0, atol=0)
        found = walk.finish()
    wanted = encode(encoder, batch_of(9, 7, 5, 1)).pooled_output[[1, 3]]
    torch.testing.assert_close(found.pooled_output, wanted, rtol=0, atol=2e-5)
