"""Encoder: a Batch in, hidden states out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from albertkit.batching.batch import Batch, IntArray, extended
from albertkit.config import AlbertConfig
from albertkit.encoder.attention import plan_attention
from albertkit.encoder.embeddings import Embeddings
from albertkit.encoder.kernels import attends_packed, distinct_rows, on_device
from albertkit.encoder.layer import Group
from albertkit.encoder.linear import runs_bf16_on_cpu
from albertkit.encoder.micro_batch import rounded_rows
from albertkit.encoder.walk import full_depth, run_layers
from albertkit.errors import UsageError


@dataclass(frozen=True)
class EncoderOutput:
    """What the encoder says of a batch; packed in, packed out, and padded in, padded out."""

    sequence_output: Tensor
    """Last hidden states, `[tokens, hidden]` packed or `[batch, seq, hidden]` padded (0 where padded)."""
    pooled_output: Float[Tensor, "sequences hidden"]
    """tanh of a linear map of each sequence's first token; that token's states where a walk leaves the pooler out."""
    lengths: Int[Tensor, " sequences"]
    """Tokens of each sequence."""
    segments: Int[Tensor, ...]
    """Which of its sequence's two texts each token is of, 0 or 1; shaped like `sequence_output` without its width."""
    hidden_states: tuple[Tensor, ...] | None = None
    """On request: the embeddings' output and each layer's, shaped like `sequence_output`."""

    @staticmethod
    def of_first_tokens(hidden: Float[Tensor, "sequences hidden"], pooled: Tensor) -> EncoderOutput:
        """Return the output of sequences of which only the first token is left, `[sequences, hidden]`."""
        ones = torch.ones(len(hidden), dtype=torch.int64, device=hidden.device)
        return EncoderOutput(hidden, pooled, ones, torch.zeros_like(ones))


class Encoder(nn.Module):
    """The ALBERT network up to and with the pooler.

    Args:
        config: the network's shape.
        pooled_only: return only `pooled_output`, as a tensor, so that the encoder fits into an `nn.Sequential`.

    Example:
        >>> import numpy as np
        >>> from albertkit.config import AlbertConfig
        >>> tiny = AlbertConfig(vocab_size=11, embedding_size=5, hidden_size=6, num_hidden_layers=2,
        ...                     num_attention_heads=2, intermediate_size=7)
        >>> batch = Batch.from_padded(np.array([[2, 7, 3], [2, 3, 0]]), np.array([[1, 1, 1], [1, 1, 0]]),
        ...                           np.zeros((2, 3), int))
        >>> output = Encoder(tiny)(batch)
        >>> output.sequence_output.shape, output.pooled_output.shape
        (torch.Size([5, 6]), torch.Size([2, 6]))
    """

    def __init__(self, config: AlbertConfig, *, pooled_only: bool = False) -> None:
        super().__init__()
        self.config = config
        self.pooled_only = pooled_only
        self.active_layers = config.num_hidden_layers
        """How many layers run; fewer while a pretraining grows them: they share their weights."""
        self.gradient_checkpointing = False
        """Whether training keeps only a layer's input and runs the layer again in the backward pass: much less memory,
        for about a third more time."""
        self.embeddings = Embeddings(config)
        self.groups = nn.ModuleList(Group(config) for _ in range(config.num_hidden_groups))
        self.pooler = nn.Linear(config.hidden_size, config.hidden_size)
        self.apply(self._initialize)

    def _initialize(self, module: nn.Module) -> None:
        initialize(module, standard_deviation=self.config.initializer_range)

    def forward(
        self,
        batch: Batch | None = None,
        *,
        input_ids: Int[Tensor, "batch seq"] | None = None,
        attention_mask: Int[Tensor, "batch seq"] | None = None,
        token_type_ids: Int[Tensor, "batch seq"] | None = None,
        with_hidden_states: bool = False,
        first_only: bool = False,
    ) -> EncoderOutput | Tensor:
        """Encode a packed batch, or padded tensors.

        Args:
            batch: packed arrays, as a tokenizer gives them.
            input_ids: instead of `batch`: piece ids, `[batch, seq]`.
            attention_mask: 1 for a token, 0 for padding, `[batch, seq]`; default: all tokens.
            token_type_ids: segments, `[batch, seq]`; default: all 0.
            with_hidden_states: also return the states after the embeddings and after each layer.
            first_only: whether only the first token of each sequence is needed of a packed batch: the last layer runs
                little more than there, and the output is as if each sequence were that token.

        Raises:
            UsageError: neither form is given, a sequence is longer than the positions, an id lies outside the tables.
        """
        if batch is not None:
            output = self._encode(batch, with_hidden_states, first_only)
        elif input_ids is not None:
            output = self._encode_padded(input_ids, attention_mask, token_type_ids, with_hidden_states)
        else:
            raise UsageError("the encoder takes a batch, or input_ids with attention_mask and token_type_ids")
        return output.pooled_output if self.pooled_only else output

    def _encode_padded(
        self, input_ids: Tensor, attention_mask: Tensor | None, token_type_ids: Tensor | None, with_hidden_states: bool
    ) -> EncoderOutput:
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        segments = torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids
        batch = Batch.from_padded(*(tensor.cpu().numpy() for tensor in (input_ids, mask, segments)))
        if len(batch) and not batch.lengths.all():
            raise UsageError("a row of attention_mask is all zeros: a sequence holds at least one token")
        packed = self._encode(batch, with_hidden_states)
        kept = mask.bool().to(packed.sequence_output.device)

        def spread(hidden: Tensor) -> Tensor:
            padded = hidden.new_zeros((*kept.shape, hidden.shape[-1]))
            padded[kept] = hidden
            return padded

        return EncoderOutput(
            spread(packed.sequence_output),
            packed.pooled_output,
            packed.lengths,
            segments.to(kept.device),
            None if packed.hidden_states is None else tuple(map(spread, packed.hidden_states)),
        )

    def _encode(self, batch: Batch, with_hidden_states: bool, first_only: bool = False) -> EncoderOutput:
        self.check(batch)
        walk = EncoderWalk(self, batch, first_only=first_only and not with_hidden_states)
        if not with_hidden_states:
            return full_depth(walk)
        states = (walk.hidden, *(walk.hidden for _ in run_layers(walk)))
        return replace(walk.finish(), hidden_states=states)

    def check(self, batch: Batch) -> None:
        """Refuse a batch that the tables cannot take.

        Raises:
            UsageError: it is empty, or an id lies outside its table.
        """
        config = self.config
        if not len(batch):
            raise UsageError("the batch is empty: the encoder needs at least one sequence")
        for name, array, limit in (
            ("input_ids", batch.input_ids, config.vocab_size),
            ("token_type_ids", batch.token_type_ids, config.type_vocab_size),
            ("positions", batch.positions, config.max_position_embeddings),
        ):
            low, high = int(array.min()), int(array.max())
            if low < 0 or high >= limit:
                raise UsageError(
                    f"{name} holds {low if low < 0 else high}, outside 0..{limit - 1}"
                    + ("; truncate the texts with max_length" if name == "positions" else "")
                )


class EncoderWalk:
    """A batch on its way through an `Encoder`, on any device and under any autocast.

    Args:
        encoder: in training or in evaluation mode.
        batch: packed sequences that passed `Encoder.check`.
        first_only: whether the first tokens' states are enough of the last layer.
        pooled: whether to compute `pooled_output`; else it holds the first tokens' states.
    """

    def __init__(self, encoder: Encoder, batch: Batch, *, first_only: bool = False, pooled: bool = True) -> None:
        self.num_layers = encoder.active_layers
        self._encoder, self._first_only, self._pooled = encoder, first_only, pooled
        self._first: Tensor | None = None
        rows = self._lay_out(batch)
        ids = (batch.input_ids, batch.token_type_ids, batch.positions)
        words, self._segments, positions = (self._tensor(array, rows) for array in ids)
        self._hidden: Tensor = encoder.embeddings(words, self._segments, positions)
        self._groups = [(group, group.shared()) for group in encoder.groups if isinstance(group, Group)]

    @property
    def hidden(self) -> Float[Tensor, "tokens hidden"]:
        """The states after the layers so far, `[tokens, hidden]`."""
        return self._hidden[: self.batch.tokens]

    def layer(self, number: int) -> None:
        """Run a layer; of the last one with `first_only`, return only the first tokens."""
        group, shared = self._groups[self._encoder.config.group_of_layer(number)]
        last = self._first_only and number == self.num_layers - 1
        wanted = self._tensor(self.batch.starts) if last else None
        checkpointing = self._encoder.gradient_checkpointing
        hidden = group(self._hidden, self._plan, shared, checkpointing=checkpointing, wanted=wanted)
        if last:
            self._first = hidden
        else:
            self._hidden = hidden

    def finish(self) -> EncoderOutput:
        """Return the states after the layers so far."""
        first = distinct_rows(self._hidden, self._tensor(self.batch.starts)) if self._first is None else self._first
        pooled = torch.tanh(self._encoder.pooler(first)) if self._pooled else first
        if self._first is not None:
            return EncoderOutput.of_first_tokens(first, pooled)
        return EncoderOutput(self.hidden, pooled, self._tensor(self.batch.lengths), self._segments[: self.batch.tokens])

    def keep(self, numbers: IntArray) -> None:
        """Continue with these sequences of the batch, numbered in ascending order."""
        kept = self.batch.rows_of(numbers)
        rows = self._lay_out(self.batch.take(numbers))
        kept_rows = self._tensor(kept, rows)
        self._hidden, self._segments = (each.index_select(0, kept_rows) for each in (self._hidden, self._segments))

    def _lay_out(self, batch: Batch) -> int:
        """Plan attention for a batch; return its number of rows, spare ones included."""
        encoder, config = self._encoder, self._encoder.config
        weight = encoder.pooler.weight
        rows = rounded_rows(batch.tokens, torch.bfloat16) if runs_bf16_on_cpu(weight) else batch.tokens
        packed = attends_packed(
            weight,
            size=config.hidden_size // config.num_attention_heads,
            dropout=config.attention_probs_dropout_prob if encoder.training else 0.0,
        )
        self.batch = batch
        self._plan = plan_attention(
            batch.lengths, device=weight.device, num_rows=rows if rows > batch.tokens else None, packed=packed
        )
        return rows

    def _tensor(self, array: IntArray, rows: int | None = None) -> Tensor:
        copied = extended(array, len(array) if rows is None else rows)
        return on_device(copied, self._encoder.pooler.weight.device)


def initialize(module: nn.Module, *, standard_deviation: float) -> None:
    """Fill a module's own fresh weights as Google's code does: normal truncated at two deviations, zero biases."""
    if isinstance(module, nn.Linear | nn.Embedding):
        bound = 2 * standard_deviation
        nn.init.trunc_normal_(module.weight, std=standard_deviation, a=-bound, b=bound)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
