"""Factorized embeddings: pieces, positions and segments of width E, normalized, then projected to width H."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor, nn

from albertkit.config import AlbertConfig


class Embeddings(nn.Module):
    """Sum of three tables, layer normalization, dropout, projection (`modeling.py`, embedding_*)."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.embedding_size)
        self.position = nn.Embedding(config.max_position_embeddings, config.embedding_size)
        self.token_type = nn.Embedding(config.type_vocab_size, config.embedding_size)
        self.norm = nn.LayerNorm(config.embedding_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        if config.has_projection:
            self.projection: nn.Module = nn.Linear(config.embedding_size, config.hidden_size)
        else:
            self.projection = nn.Identity()  # Google's code has no projection between equal widths

    def forward(
        self,
        input_ids: Int[Tensor, " tokens"],
        token_type_ids: Int[Tensor, " tokens"],
        positions: Int[Tensor, " tokens"],
    ) -> Float[Tensor, "tokens hidden"]:
        """Return hidden states `[tokens, hidden]` for ids, segments and positions `[tokens]` each."""
        summed = self.word(input_ids) + self.position(positions) + self.token_type(token_type_ids)  # T E
        hidden: Tensor = self.projection(self.dropout(self.norm(summed)))
        return hidden
