"""Heads of pretraining: masked pieces (tied to the word embeddings) and sentence order.

Letters: masked positions M, sequences n, hidden H, embedding E, vocabulary V.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from albertkit.config import AlbertConfig
from albertkit.encoder.layer import activate


class MaskedPieceHead(nn.Module):
    """H -> E, activation, normalization, product with the word embeddings, bias (`run_pretraining.py`)."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.activation = config.hidden_act
        self.dense = nn.Linear(config.hidden_size, config.embedding_size)
        self.norm = nn.LayerNorm(config.embedding_size, eps=config.layer_norm_eps)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def forward(
        self, hidden: Float[Tensor, "masked hidden"], word_embeddings: Float[Tensor, "vocabulary embedding"]
    ) -> Float[Tensor, "masked vocabulary"]:
        """Return logits `[masked, vocabulary]` for the hidden states of masked positions `[masked, hidden]`."""
        return F.linear(self.transform(hidden), word_embeddings, self.bias)

    def transform(self, hidden: Float[Tensor, "masked hidden"]) -> Float[Tensor, "masked embedding"]:
        """Return what the word embeddings are multiplied with, `[masked, embedding]`."""
        transformed: Tensor = self.norm(activate(self.dense(hidden), self.activation))  # M E
        return transformed


class SentenceOrderHead(nn.Linear):
    """One linear map of the pooled output: column 0 says "in order", column 1 "swapped"."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__(config.hidden_size, 2)
