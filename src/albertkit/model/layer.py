"""One ALBERT layer: attention, then feed-forward, each with residual and post-layer-normalization."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from albertkit.config import AlbertConfig
from albertkit.model.attention import Attention, AttentionPlan
from albertkit.model.kernels import gelu_tanh, linear


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

    def forward(self, hidden: Float[Tensor, "tokens hidden"]) -> Float[Tensor, "tokens hidden"]:
        """Return the normalized sum of `hidden` `[tokens, hidden]` and its feed-forward image."""
        inner = activate(linear(hidden, self.up.weight, self.up.bias), self.activation)  # T I
        outer = linear(inner, self.down.weight, self.down.bias)  # T H
        normalized: Tensor = self.norm(hidden + self.dropout(outer))
        return normalized

    def extra_repr(self) -> str:
        """Name the activation in `print(model)`."""
        return f"activation={self.activation}"


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

    def forward(self, hidden: Float[Tensor, "tokens hidden"], plan: AttentionPlan) -> Float[Tensor, "tokens hidden"]:
        """Apply the layer to `[tokens, hidden]` laid out by `plan`."""
        result: Tensor = self.ffn(self.attention(hidden, plan))
        return result


class Group(nn.Module):
    """The layers (one, in every published model) whose weights several depths share."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.inner_group_num))
        self.recompute = False
        """Whether training keeps a layer's input alone and runs the layer again on the way back: much less memory, for
        about a third more time."""

    @property
    def inner(self) -> list[Layer]:
        """The layers, by their own type."""
        return [layer for layer in self.layers if isinstance(layer, Layer)]

    def forward(self, hidden: Float[Tensor, "tokens hidden"], plan: AttentionPlan) -> Float[Tensor, "tokens hidden"]:
        """Apply the inner layers one after the other to `[tokens, hidden]`."""
        for layer in self.layers:
            if self.recompute and torch.is_grad_enabled():
                hidden = checkpoint(layer, hidden, plan, use_reentrant=False)
            else:
                hidden = layer(hidden, plan)
        return hidden
