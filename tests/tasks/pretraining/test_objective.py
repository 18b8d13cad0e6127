"""The objective against transformers' AlbertForPreTraining on the same weights: losses, choices, every gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.tiny import CONFIG
from tests.tiny_pretrained import pretrained_folder
from torch import Tensor, nn

from albertkit.batching.batch import Batch
from albertkit.checkpoints.huggingface import rename_table
from albertkit.data.pretraining.batches import PretrainingBatch
from albertkit.models.pretrained import load_model
from albertkit.tasks.pretraining.objective import PretrainingObjective

transformers = pytest.importorskip("transformers")

MASK, IGNORED = 4, -100
LENGTHS = (13, 29, 7, 13, 31)


def batch(*, share: float = 0.3, seed: int = 11) -> PretrainingBatch:
    """Random pieces; some positions masked, two pairs swapped."""
    random = np.random.default_rng(seed)
    lengths = np.array(LENGTHS)
    total = int(lengths.sum())
    positions = np.arange(total) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    halves = (positions >= np.repeat(lengths // 2, lengths)).astype(np.int64)
    ids = random.integers(5, CONFIG.vocab_size, size=total)
    masked = np.flatnonzero((random.random(total) < share) & (positions > 0))
    targets = ids[masked].copy()
    ids[masked] = MASK
    return PretrainingBatch(Batch(ids, halves, positions, lengths), masked, targets, np.array([0, 1, 1, 0, 0]))


def padded(made: PretrainingBatch) -> dict[str, Tensor]:
    """The same as a user of transformers would write it."""
    arrays = made.batch.pad()
    labels = np.full(made.batch.tokens, IGNORED)
    labels[made.masked_positions] = made.masked_ids
    spread = np.full(arrays["input_ids"].shape, IGNORED)
    spread[arrays["attention_mask"].astype(bool)] = labels
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    return {**tensors, "labels": torch.from_numpy(spread), "sentence_order_label": torch.from_numpy(made.swapped)}


def both() -> tuple[PretrainingObjective, nn.Module]:
    peer = transformers.AlbertForPreTraining.from_pretrained(pretrained_folder())
    # transformers drops a tenth of the pooled output before its order head in training; Google's code does not.
    return PretrainingObjective(load_model(pretrained_folder()).network).train(), peer.eval()


def test_losses_choices_and_all_gradients_equal_transformers() -> None:
    ours, peer = both()
    made = batch()
    losses = ours(made)
    theirs = peer(**padded(made))
    loss = losses.mlm / losses.masked + losses.sop / losses.sequences
    torch.testing.assert_close(loss, theirs.loss, rtol=1e-5, atol=1e-5)
    labels = padded(made)["labels"].flatten()
    chosen = theirs.prediction_logits.flatten(0, 1)
    assert int(losses.mlm_correct) == int((chosen.argmax(-1) == labels).sum())
    assert int(losses.sop_correct) == int((theirs.sop_logits.argmax(-1) == torch.from_numpy(made.swapped)).sum())
    torch.testing.assert_close(losses.mlm, F.cross_entropy(chosen, labels, reduction="sum"), rtol=1e-5, atol=1e-4)
    assert (losses.masked, losses.sequences) == (len(made.masked_ids), len(LENGTHS))
    loss.backward()
    theirs.loss.backward()
    table = rename_table("AlbertForPreTraining")
    expected = {table.to_canonical(name): parameter.grad for name, parameter in peer.named_parameters()}
    own = {name.removeprefix("encoder."): parameter.grad for name, parameter in ours.network.named_parameters()}
    assert own.keys() == expected.keys()
    assert len(own) == 32
    for name, gradient in own.items():
        assert gradient is not None, name
        torch.testing.assert_close(
            gradient, expected[name], rtol=1e-4, atol=1e-6, msg=lambda text, n=name: f"{n}: {text}"
        )


def test_first_choices_are_counted() -> None:
    ours, peer = both()
    made = batch()
    with torch.no_grad():
        logits = peer(**padded(made)).prediction_logits[padded(made)["attention_mask"].bool()]
        swapped = peer(**padded(made)).sop_logits.argmax(-1).numpy()
        chosen = logits[torch.from_numpy(made.masked_positions)].argmax(-1).numpy()
        losses = ours(PretrainingBatch(made.batch, made.masked_positions, chosen, swapped))
    assert (int(losses.mlm_correct), int(losses.sop_correct)) == (len(chosen), len(LENGTHS))


def test_scoring_without_gradients_gives_the_same_losses() -> None:
    ours, _ = both()
    trained = ours(batch())
    ours.eval()
    with torch.no_grad():
        scored = ours(batch())
    assert not scored.mlm.requires_grad
    for one, other in zip(trained, scored, strict=True):
        torch.testing.assert_close(torch.as_tensor(one).detach(), torch.as_tensor(other), rtol=1e-5, atol=1e-5)


def test_bf16_comes_near() -> None:
    ours, _ = both()
    exact = ours(batch())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = ours(batch())
    assert losses.mlm.dtype == losses.sop.dtype == torch.float32
    torch.testing.assert_close(losses.mlm, exact.mlm, rtol=0.02, atol=0)
    torch.testing.assert_close(losses.sop, exact.sop, rtol=0.05, atol=0.05)
    (losses.mlm / losses.masked + losses.sop / losses.sequences).backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in ours.parameters())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_batch_without_masks_trains_sentence_order_alone(precision: str) -> None:
    ours, _ = both()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
        losses = ours(batch(share=0.0))
    assert (losses.mlm.item(), int(losses.mlm_correct), losses.masked) == (0.0, 0, 0)
    (losses.mlm + losses.sop).backward()
    assert float(ours.network.mlm_head.bias.grad.abs().sum()) == 0
    assert float(ours.network.heads["sop"].weight.grad.abs().sum()) > 0
