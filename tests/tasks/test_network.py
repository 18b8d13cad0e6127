"""Network: canonical names there and back, the tied head."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.tiny import CONFIG, execution, tiny_network

from albertkit.batching.batch import Batch, Sequence
from albertkit.checkpoints.shapes import encoder_shapes, head_shapes
from albertkit.encoder.encoder import Encoder
from albertkit.inference.predictor import Predictor
from albertkit.inference.running import run_outputs
from albertkit.models.loaded import Model
from albertkit.models.pretrained import with_task_head
from albertkit.tasks.network import Network, pretraining_heads
from albertkit.text.tokenizer import Tokenizer


def full_network(seed: int) -> Network:
    torch.manual_seed(seed)
    return Network(Encoder(CONFIG), pretraining_heads(CONFIG, ("mlm", "sop", "strange")))


def test_the_names_are_the_canonical_ones() -> None:
    state = full_network(0).canonical_state()
    expected = encoder_shapes(CONFIG) | head_shapes(CONFIG, "mlm") | head_shapes(CONFIG, "sop")
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == expected
    assert not any(tensor.requires_grad for tensor in state.values())


def test_a_state_is_taken_over() -> None:
    one, two = full_network(0), full_network(1)
    two.take_canonical(one.canonical_state())
    for name, tensor in one.canonical_state().items():
        torch.testing.assert_close(two.canonical_state()[name], tensor, rtol=0, atol=0)
    half = {name: tensor.half() for name, tensor in one.canonical_state().items()}
    two.take_canonical(half)
    assert {tensor.dtype for tensor in two.canonical_state().values()} == {torch.float32}


def test_the_masked_piece_head_is_tied_to_the_word_embeddings() -> None:
    network = full_network(0)
    hidden = torch.randn(3, 16)
    head = network.heads["mlm"]
    middle = F.layer_norm(F.gelu(head.dense(hidden)), (8,), head.norm.weight, head.norm.bias, eps=1e-12)
    by_hand = middle @ network.encoder.embeddings.word.weight.T + head.bias
    torch.testing.assert_close(network.masked_piece_logits(hidden), by_hand)
    with torch.no_grad():
        network.encoder.embeddings.word.weight[7, 0] += 1
    assert not torch.allclose(network.masked_piece_logits(hidden)[:, 7], by_hand[:, 7])


def test_hidden_states_on_request() -> None:
    ids = torch.tensor([2, 9, 3]).numpy()
    batch = Batch.pack([Sequence(ids, ids * 0)])
    output = tiny_network()(batch, with_hidden_states=True)
    assert len(output.hidden_states) == CONFIG.num_hidden_layers + 1
    assert tiny_network()(batch).hidden_states is None


def test_evaluation_mode_is_a_copy_that_shares_the_weights() -> None:
    network = full_network(0)
    network.train()
    network.heads["sop"].eval()
    found = network.in_evaluation_mode()
    assert found is not network
    assert not any(module.training for module in found.modules())
    assert network.training
    assert not network.heads["sop"].training
    own = dict(network.named_parameters())
    assert {name: id(weight) for name, weight in found.named_parameters()} == {
        name: id(weight) for name, weight in own.items()
    }
    network.encoder.pooler.weight = torch.nn.Parameter(torch.zeros(16, 16))
    assert found.encoder.pooler.weight is network.encoder.pooler.weight
    assert str(found) == str(network)


def test_a_network_in_evaluation_mode_is_taken_as_it_is() -> None:
    network = full_network(0).eval()
    assert network.in_evaluation_mode() is network
    copied = network.in_evaluation_mode(copied=True)
    hook = copied.encoder.pooler.register_forward_hook(lambda *_: None)
    assert len(copied.encoder.pooler._forward_hooks) == 1
    assert not network.encoder.pooler._forward_hooks
    hook.remove()
    assert not copied.encoder.pooler._forward_hooks


@pytest.mark.parametrize(("kind", "tolerance"), [("half", 2e-2), ("bfloat16", 0.1), ("double", 1e-5)])
@pytest.mark.parametrize("task", ["classification", "token_classification", "question_answering_v2"])
def test_heads_take_their_states_in_another_type(kind: str, tolerance: float, task: str) -> None:
    labels = () if task == "question_answering_v2" else ("a", "b")
    model = with_task_head(Model(tiny_network(), Tokenizer.official()), task=task, labels=labels)
    assert model.task is not None
    example = [model.task.example_of("a fine film", "two hours" if task == "question_answering_v2" else None)]
    runs = []
    for _ in range(2):
        predictor = Predictor(model, execution=execution())
        rows = run_outputs(predictor.runtime, predictor.encode(example).sequences)
        runs.append(np.concatenate([row.ravel() for row in rows]))
        getattr(model.network, kind)()
    chosen = np.abs(runs[0]) < 1e3  # what cannot be chosen has a huge number
    np.testing.assert_allclose(runs[1][chosen], runs[0][chosen], atol=tolerance * np.abs(runs[0][chosen]).max())
