"""The informed start: what the weights say before any training, worked out by hand from only the weights."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from albertkit.config import AlbertConfig, published_config
from albertkit.encoder.attention import plan_attention
from albertkit.encoder.encoder import Encoder
from albertkit.errors import DataError, UsageError
from albertkit.tasks.network import Network, pretraining_heads
from albertkit.training.pretraining import start
from albertkit.training.pretraining.start import WORD_NORM, fresh_weights, informed_start

VOCABULARY, SPECIALS, UNSEEN = 211, 5, 200
NANO = replace(published_config("albert-nano"), vocab_size=VOCABULARY, num_hidden_layers=1, max_position_embeddings=64)


class Document(NamedTuple):
    tokens: npt.NDArray[np.uint16]
    starts: npt.NDArray[np.int64]


@dataclass
class Documents:
    """In memory; the last one is never to be read."""

    texts: list[npt.NDArray[np.uint16]]

    @property
    def document_lengths(self) -> npt.NDArray[np.int64]:
        return np.array([len(text) for text in self.texts])

    def document(self, number: int) -> Any:
        return Document(self.texts[number], np.array([0, len(self.texts[number])]))


def corpus() -> Documents:
    """Frequencies like those of words; even pieces occur with even ones, odd with odd."""
    random = np.random.default_rng(2)
    texts = []
    for number in range(40):
        pieces = np.arange(SPECIALS + number % 2, UNSEEN, 2)
        texts.append(random.choice(pieces, size=300, p=(1 / pieces) / (1 / pieces).sum()).astype(np.uint16))
    return Documents([*texts, np.full(500, UNSEEN + 1, np.uint16)])


def started(config: AlbertConfig = NANO, *, seed: int = 4) -> tuple[Network, int]:
    network = Network(Encoder(config), pretraining_heads(config, ("mlm", "sop")))
    fresh_weights(network, seed=seed)
    return network, informed_start(network, corpus(), np.arange(40), num_specials=SPECIALS, seed=seed)


def attention_of(network: Network, ids: npt.NDArray[np.int64]) -> Tensor:
    """Attention weights `[heads, tokens, tokens]` of the first layer, from the weights by hand."""
    state = network.canonical_state()
    summed = state["embeddings.word.weight"][ids] + state["embeddings.position.weight"][: len(ids)]
    summed = (summed + state["embeddings.token_type.weight"][0]).double()
    normal = (summed - summed.mean(1, keepdim=True)) / summed.var(1, unbiased=False, keepdim=True).sqrt()
    hidden = normal @ state["embeddings.projection.weight"].double().T
    heads = network.config.num_attention_heads
    size = network.config.hidden_size // heads
    query, key = (
        (hidden @ state[f"groups.0.layers.0.attention.{name}.weight"].double().T).view(len(ids), heads, size)
        for name in ("query", "key")
    )
    scores = torch.einsum("ihd,jhd->hij", query, key) / math.sqrt(size)
    return (scores.exp() / scores.exp().sum(-1, keepdim=True)).float()


@pytest.fixture(scope="module")
def informed() -> tuple[Network, int]:
    return started()


def test_heads_look_at_neighbours(informed: tuple[Network, int]) -> None:
    ids = corpus().texts[0][:40].astype(np.int64)
    attention = attention_of(informed[0], ids)
    for head, offset in enumerate((-1, 1, -2, 2)):
        inside = range(max(0, -offset), len(ids) - max(0, offset))
        shares = torch.stack([attention[head, place, place + offset] for place in inside])
        assert float(shares.mean()) > 0.5, (head, shares)
        most = torch.stack([attention[head, place].argmax() for place in inside]) - torch.tensor(list(inside))
        assert float((most == offset).float().mean()) > 0.95, (head, most)


def test_attention_is_what_the_encoder_uses(informed: tuple[Network, int]) -> None:
    """The count by hand above is that of the network: value and output are linear in it."""
    network, _ = informed
    ids = np.arange(SPECIALS, SPECIALS + 17)
    layer = network.encoder.groups[0].layers[0]
    places = torch.arange(17)
    with torch.no_grad():
        hidden = network.encoder.embeddings(torch.from_numpy(ids), places * 0, places)
        value = (hidden @ layer.attention.value.weight.T).view(17, 4, 64)
        context = torch.einsum("hij,jhd->ihd", attention_of(network, ids), value).reshape(17, 256)
        mixed = hidden + context @ layer.attention.output.weight.T
        expected = torch.nn.functional.layer_norm(mixed, (256,))
        got = layer.attention(hidden, plan_attention(np.array([17])), layer.attention.shared())
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


def test_the_bias_is_the_log_frequency(informed: tuple[Network, int]) -> None:
    network, counted = informed
    assert counted == 40 * 300
    counts = np.zeros(VOCABULARY)
    for text in corpus().texts[:40]:
        for piece in text:
            counts[piece] += 1
    expected = np.log((counts + 0.5) / (counts.sum() + 0.5 * VOCABULARY))
    np.testing.assert_allclose(network.mlm_head.bias.detach().numpy(), expected, rtol=1e-5)
    # The document that was held out was not read: its piece is as rare as one that nobody wrote.
    assert network.mlm_head.bias[UNSEEN + 1].item() == network.mlm_head.bias[0].item()


def test_words_of_one_company_have_one_direction(informed: tuple[Network, int]) -> None:
    network, _ = informed
    table = network.encoder.embeddings.word.weight.detach()
    width = 224 - 32
    assert float(table[:, width:].abs().max()) == 0
    lengths = table.norm(dim=1)
    torch.testing.assert_close(lengths[SPECIALS:UNSEEN], torch.full((UNSEEN - SPECIALS,), WORD_NORM))
    assert (lengths[:SPECIALS] > WORD_NORM / 2).all()  # special pieces never occur and have random vectors
    assert (lengths[UNSEEN:] > WORD_NORM / 2).all()
    frequent = table[SPECIALS : SPECIALS + 30] / WORD_NORM
    likeness = frequent @ frequent.T
    even = torch.arange(30) % 2 == 0
    together, apart = likeness[even][:, even], likeness[even][:, ~even]
    together = together[~torch.eye(15, dtype=torch.bool)]
    assert float(together.mean()) > float(apart.mean()) + 0.1


def test_the_seed_decides(informed: tuple[Network, int]) -> None:
    again, _ = started()
    other, _ = started(seed=5)
    for name, tensor in informed[0].canonical_state().items():
        assert torch.equal(tensor, again.canonical_state()[name]), name
    assert not torch.equal(other.encoder.embeddings.word.weight, again.encoder.embeddings.word.weight)


def test_no_more_is_counted_than_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "COUNTED_TOKENS", 1000)
    assert started()[1] == 1200  # whole documents of 300


@pytest.mark.parametrize("changes", [{"embedding_size": 256}, {"num_hidden_layers": 4, "num_hidden_groups": 2}])
def test_other_shapes_start_too(changes: dict[str, int]) -> None:
    network, _ = started(replace(NANO, **changes))
    ids = corpus().texts[1][:40].astype(np.int64)
    assert all(torch.isfinite(tensor).all() for tensor in network.canonical_state().values())
    if "embedding_size" not in changes:
        attention = attention_of(network, ids)
        assert float(torch.diagonal(attention[0], offset=-1).mean()) > 0.5


def test_what_cannot_hold_a_rotation_is_refused() -> None:
    narrow = replace(NANO, hidden_size=32, num_attention_heads=32, intermediate_size=32)
    with pytest.raises(UsageError, match="too narrow for --init from counts; use --init random"):
        started(narrow)
    with pytest.raises(UsageError, match="embeddings of 224 are wider than the layers' 64"):
        started(replace(NANO, hidden_size=64))


def test_text_that_is_too_short_is_refused() -> None:
    network = Network(Encoder(NANO), pretraining_heads(NANO, ("mlm", "sop")))
    with pytest.raises(DataError, match="too short"):
        informed_start(network, Documents([np.array([9], np.uint16)]), np.arange(1), num_specials=SPECIALS, seed=0)


def test_fresh_weights_are_googles() -> None:
    network = Network(Encoder(NANO), pretraining_heads(NANO, ("mlm", "sop")))
    fresh_weights(network, seed=1)
    for name, tensor in network.canonical_state().items():
        if name.endswith("bias"):
            assert float(tensor.abs().max()) == 0, name
        elif "norm" in name:
            assert bool((tensor == 1).all()), name
        else:  # truncated at two deviations: 0.88 of the deviation is left
            assert float(tensor.abs().max()) <= 0.04, name
            if tensor.numel() > 10_000:
                assert float(tensor.std()) == pytest.approx(0.02 * 0.8796, rel=0.05), name
