"""One ALBERT layer: attention, then feed-forward, each with residual and post-layer-normalization."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from albertkit.config import AlbertConfig
from albertkit.encoder.attention import Attention, AttentionPlan
from albertkit.encoder.kernels import gelu_tanh
from albertkit.encoder.linear import SharedLinear, shared_linear


def activate(hidden: Tensor, activation: str) -> Tensor:
    """Apply `gelu` (erf form), `gelu_new` (tanh form) or `relu`, any shape."""
    if activation == "relu":
        return F.relu(hidden)
    return gelu_tanh(hidden) if activation == "gelu_new" else F.gelu(hidden)


class FeedForward(nn.Module):
    """Up, activation, down, residual, normalization (`modeling.py`, ffn_1 and LayerNorm_1)."""

    def __init__(
        self, hidden_size: int, *, intermediate_size: int, activation: str, hidden_dropout: float, norm_eps: float
    ) -> None:
        super().__init__()
        self.activation = activation
        self.up = nn.Linear(hidden_size, intermediate_size)
        self.down = nn.Linear(intermediate_size, hidden_size)
        self.norm = nn.LayerNorm(hidden_size, eps=norm_eps)
        self.dropout = nn.Dropout(hidden_dropout)

    def shared(self) -> tuple[SharedLinear, SharedLinear]:
        """Return the two linear maps for one pass."""
        return shared_linear(self.up), shared_linear(self.down)

    def forward(
        self, hidden: Float[Tensor, "tokens hidden"], shared: tuple[SharedLinear, SharedLinear]
    ) -> Float[Tensor, "tokens hidden"]:
        """Return the normalized sum of `hidden` `[tokens, hidden]` and its feed-forward image.

        Args:
            hidden: `[tokens, hidden]`.
            shared: what `shared` returned in this pass.
        """
        up, down = shared
        inner = activate(up(hidden), self.activation)  # T I
        outer = down(inner)  # T H
        normalized: Tensor = self.norm(hidden + self.dropout(outer))
        return normalized

    def extra_repr(self) -> str:
        """Name the activation in `print(model)`."""
        return f"activation={self.activation}"


@dataclass(frozen=True)
class LayerWeights:
    """The linear maps of a layer for one pass through the network, whatever the number of depths that use them."""

    attention: tuple[SharedLinear, SharedLinear]
    ffn: tuple[SharedLinear, SharedLinear]


class Layer(nn.Module):
    """Attention and feed-forward with one set of weights."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.attention = Attention(
            config.hidden_size,
            num_heads=config.num_attention_heads,
            attention_dropout=config.attention_probs_dropout_prob,
            hidden_dropout=config.hidden_dropout_prob,
            norm_eps=config.layer_norm_eps,
        )
        self.ffn = FeedForward(
            config.hidden_size,
            intermediate_size=config.intermediate_size,
            activation=config.hidden_act,
            hidden_dropout=config.hidden_dropout_prob,
            norm_eps=config.layer_norm_eps,
        )

    def shared(self) -> LayerWeights:
        """Return the linear maps for one pass."""
        return LayerWeights(self.attention.shared(), self.ffn.shared())

    def forward(
        self,
        hidden: Float[Tensor, "tokens hidden"],
        plan: AttentionPlan,
        weights: LayerWeights,
        wanted: Int[Tensor, " wanted"] | None = None,
    ) -> Float[Tensor, "rows hidden"]:
        """Apply the layer to `[tokens, hidden]` laid out by `plan`; return all rows, or only those that are wanted."""
        result: Tensor = self.ffn(self.attention(hidden, plan, weights.attention, wanted), weights.ffn)
        return result


class Group(nn.Module):
    """The layers (one, in every published model) whose weights several depths share."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.inner_group_num))

    @property
    def inner(self) -> list[Layer]:
        """The layers, by their own type."""
        return [layer for layer in self.layers if isinstance(layer, Layer)]

    def shared(self) -> list[LayerWeights]:
        """Return the inner layers' linear maps for one pass, under the autocast of this moment."""
        return [layer.shared() for layer in self.inner]

    def forward(
        self,
        hidden: Float[Tensor, "tokens hidden"],
        plan: AttentionPlan,
        shared: list[LayerWeights],
        *,
        checkpointing: bool = False,
        wanted: Int[Tensor, " wanted"] | None = None,
    ) -> Float[Tensor, "rows hidden"]:
        """Apply the inner layers one after the other.

        Args:
            hidden: `[tokens, hidden]`.
            plan: how the tokens are laid out.
            shared: what `shared` returned in this pass.
            checkpointing: see `Encoder.gradient_checkpointing`.
            wanted: rows that the last one returns, each once; all if None.
        """
        for layer, weights in zip(self.layers, shared, strict=True):
            rows = wanted if layer is self.layers[-1] else None
            if checkpointing and torch.is_grad_enabled():
                hidden = checkpoint(layer, hidden, plan, weights, rows, use_reentrant=False)
            else:
                hidden = layer(hidden, plan, weights, rows)
        return hidden
