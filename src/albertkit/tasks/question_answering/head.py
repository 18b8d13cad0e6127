"""The heads of question answering and their losses: a span head, and Google's for SQuAD 2.0.

Letters: tokens of all windows t, windows w, longest window l, hidden H, beams k.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from albertkit.batching.batch import IntArray
from albertkit.config import AlbertConfig
from albertkit.tasks.head_spec import LINEAR, HeadSpec
from albertkit.tasks.objective import Objective

BEAMS = 5
"""Starts for which ends are computed (`start_n_top`); `decode` reads as many columns."""
MASKED = -1e30
"""Logit of a token that cannot be chosen, as in Google's code."""


class SpanObjective(Objective):
    """One linear map: column 0 says that an answer starts at a token, column 1 that it ends there.

    transformers' `qa_outputs`, and `create_v1_model` of google-research/albert, squad_utils.py; neither has dropout.
    """

    reads = "tokens"

    def build(self, config: AlbertConfig, num_outputs: int, spec: HeadSpec = LINEAR) -> nn.Module:
        """Return a fresh linear map, initialized as Google's.

        Raises:
            UsageError: hidden widths or a norm.
        """
        spec.require_linear("the head of question answering is fixed")
        head = nn.Linear(config.hidden_size, num_outputs)
        _initialize(head)
        return head

    def losses_of(self, rows: Tensor, *, lengths: IntArray, counts: IntArray, targets: Tensor) -> Tensor:
        """Return the mean of the cross entropies (nats) of start and end over each window's own tokens, `[windows]`.

        Google's code and transformers add the padding of a window to the choices; here there is none.

        Args:
            rows: `[tokens, 2]`.
            lengths: tokens of each window.
            counts: ones; a window is a unit.
            targets: rows of start and end in the window, `[windows, 2]`; 0 is [CLS].
        """
        del counts
        start, end = (F.cross_entropy(by_window(rows[:, k], lengths), targets[:, k], reduction="none") for k in (0, 1))
        return (start + end) / 2


class _End(nn.Module):
    """Scores a token as the end, given the state of the start."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(2 * config.hidden_size, config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size, eps=1e-12)  # contrib_layers.layer_norm's
        self.output = nn.Linear(config.hidden_size, 1)

    def forward(
        self, states: Float[Tensor, "tokens hidden"], starts: Float[Tensor, "windows hidden"], window: Tensor
    ) -> Float[Tensor, " tokens"]:
        """Return logits `[tokens]` for states `[tokens, hidden]`; `window` is the number of each token's window."""
        # The map of [token; start] is the sum of two maps, and that of the start is the same for all of a window.
        weight, width = self.dense.weight, states.shape[1]
        by_token = F.linear(states.to(weight.dtype), weight[:, :width])  # t H
        by_start = F.linear(starts.to(weight.dtype), weight[:, width:], self.dense.bias)  # w H
        logits: Tensor = self.output(self.norm(torch.tanh(by_token + by_start[window])))[:, 0]
        return logits.float()


class _Answerable(nn.Module):
    """Says of a window that it holds no answer (the larger, the less), from the expected start and [CLS]."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(2 * config.hidden_size, config.hidden_size)
        self.dropout = nn.Dropout(config.classifier_dropout_prob)
        self.output = nn.Linear(config.hidden_size, 1, bias=False)

    def forward(
        self, expected_start: Float[Tensor, "windows hidden"], first: Float[Tensor, "windows hidden"]
    ) -> Float[Tensor, " windows"]:
        """Return logits `[windows]`."""
        mixed = torch.tanh(self.dense(torch.cat([expected_start, first], dim=1)))  # w H
        logits: Tensor = self.output(self.dropout(mixed))[:, 0]
        return logits.float()


class AnswerHead(nn.Module):
    """Google's head for SQuAD 2.0: a start, an end that depends on it, and whether there is an answer.

    Source: `create_v2_model` of google-research/albert, squad_utils.py; its answer logit is high where there is none.
    """

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.start = nn.Linear(config.hidden_size, 1)
        self.end = _End(config)
        self.answerable = _Answerable(config)

    def start_logits(
        self, states: Float[Tensor, "tokens hidden"], allowed: Bool[Tensor, " tokens"]
    ) -> Float[Tensor, " tokens"]:
        """Return the logits of starts `[tokens]`, `MASKED` where a token cannot be chosen."""
        logits: Tensor = self.start(states)[:, 0]
        return logits.float().masked_fill(~allowed, MASKED)  # fp16 has no such numbers

    def no_answer_logits(
        self, states: Float[Tensor, "tokens hidden"], start_logits: Float[Tensor, " tokens"], lengths: IntArray
    ) -> Float[Tensor, " windows"]:
        """Return the logits that windows hold no answer, `[windows]`."""
        shares = by_window(start_logits, lengths).softmax(1)[_own(lengths, states)]  # t
        first, window = _windows(lengths, states)
        expected = states.new_zeros((len(lengths), states.shape[1])).index_add(0, window, states * shares[:, None])
        logits: Tensor = self.answerable(expected, states[first])
        return logits


class AnswerObjective(Objective):
    """Google's head for SQuAD 2.0. Outputs by token, all fp32:

    column 0      logit of the start
    columns 1-5   logit of the end, given the first to the fifth best start of the window
    column 6      logit that the window holds no answer, the same for all its tokens

    Tokens that are neither [CLS] nor of the context cannot be start or end (`p_mask`); their logits are `MASKED`.
    Which tokens are the context's, `segments` says.
    """

    reads = "tokens"

    def build(self, config: AlbertConfig, num_outputs: int, spec: HeadSpec = LINEAR) -> nn.Module:
        """Return a fresh head, initialized as Google's.

        Raises:
            UsageError: hidden widths or a norm.
        """
        spec.require_linear("the head of question answering is fixed")
        assert num_outputs == BEAMS + 2
        head = AnswerHead(config)
        for module in head.modules():
            _initialize(module)
        return head

    def outputs(
        self, head: nn.Module, states: Tensor, *, lengths: IntArray, segments: IntArray | None = None
    ) -> Tensor:
        """Return `[tokens, 7]`, see the class.

        Args:
            head: an `AnswerHead`.
            states: `[tokens, hidden]`.
            lengths: tokens of each window.
            segments: token type of each token, `[tokens]`: 1 for the context and the [SEP] after it.
        """
        assert isinstance(head, AnswerHead)
        allowed = choosable(lengths, segments).to(states.device)
        start = head.start_logits(states, allowed)
        first, window = _windows(lengths, states)
        padded = by_window(start, lengths)  # w l
        beams = padded.sort(dim=1, descending=True, stable=True).indices[:, :BEAMS]  # w k: `decode` sorts the same way
        # A window of fewer tokens than beams has beams at padding: their columns are never read, any state will do.
        chosen = states[(first[:, None] + beams).clamp_max(len(states) - 1)]  # w k H
        ends = [head.end(states, chosen[:, k], window).masked_fill(~allowed, MASKED) for k in range(chosen.shape[1])]
        ends += [torch.full_like(start, MASKED)] * (BEAMS - len(ends))
        return torch.stack([start, *ends, head.no_answer_logits(states, start, lengths)[window]], dim=1)

    def losses_of(self, rows: Tensor, *, lengths: IntArray, counts: IntArray, targets: Tensor) -> Tensor:
        """Return each window's loss, `[windows]`, from `outputs`: half of each of start, end and "no answer".

        It differs from the training loss only in the end logits. In training they depend on the right start; here, on
        one of the five best starts: the right one if it is among them, else the best. There is no dropout, either.

        Args:
            rows: `[tokens, 7]`.
            lengths: tokens of each window.
            counts: ones; a window is a unit.
            targets: rows of start and end in the window, `[windows, 2]`; (0, 0) says that there is no answer.
        """
        del counts
        start = by_window(rows[:, 0], lengths)
        beams = start.sort(dim=1, descending=True, stable=True).indices[:, :BEAMS]
        beam = (beams == targets[:, :1]).int().argmax(dim=1)  # 0 where none is right
        first, window = _windows(lengths, rows)
        end = rows[:, 1 : BEAMS + 1].gather(1, beam[window, None])[:, 0]
        return _answer_losses(start, by_window(end, lengths), rows[first, BEAMS + 1], targets)

    def losses(
        self,
        head: nn.Module,
        states: Tensor,
        *,
        lengths: IntArray,
        counts: IntArray,
        targets: Tensor,
        segments: IntArray | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the logits of starts `[tokens, 1]` and the loss of each window in training.

        Half of the cross entropies of the start and of the end given the right start, and half of the binary one of
        "no answer" (`v2_model_fn_builder`).
        """
        del counts
        assert isinstance(head, AnswerHead)
        allowed = choosable(lengths, segments).to(states.device)
        start = head.start_logits(states, allowed)
        first, window = _windows(lengths, states)
        end = head.end(states, states[first + targets[:, 0]], window).masked_fill(~allowed, MASKED)
        none = head.no_answer_logits(states, start, lengths)
        return start[:, None], _answer_losses(by_window(start, lengths), by_window(end, lengths), none, targets)


def _answer_losses(
    start: Float[Tensor, "windows longest"],
    end: Float[Tensor, "windows longest"],
    none: Float[Tensor, " windows"],
    targets: Int[Tensor, "windows 2"],
) -> Float[Tensor, " windows"]:
    missing = (targets[:, 0] == 0).to(none.dtype)  # no answer starts at [CLS]
    return 0.5 * (
        F.cross_entropy(start, targets[:, 0], reduction="none")
        + F.cross_entropy(end, targets[:, 1], reduction="none")
        + F.binary_cross_entropy_with_logits(none, missing, reduction="none")
    )


def choosable(lengths: IntArray, segments: IntArray | None) -> Tensor:
    """Return which tokens can be start or end, `[tokens]`: [CLS], and the context's without its [SEP].

    >>> choosable(np.array([6]), np.array([0, 0, 0, 1, 1, 1])).tolist()
    [True, False, False, True, True, False]

    Args:
        lengths: tokens of each window.
        segments: token type of each token, `[tokens]`.
    """
    assert segments is not None, "this head needs to know which tokens belong to the context: pass token_type_ids"
    allowed = segments == 1
    ends = np.cumsum(lengths)
    allowed[ends - 1] = False
    allowed[ends - lengths] = True
    return torch.from_numpy(allowed)


def by_window(column: Float[Tensor, " tokens"], lengths: IntArray) -> Float[Tensor, "windows longest"]:
    """Return one row per window, -inf after its last token.

    >>> by_window(torch.tensor([1.0, 2.0, 3.0]), np.array([1, 2])).tolist()
    [[1.0, -inf], [2.0, 3.0]]
    """
    if len(lengths) * int(lengths.max(initial=0)) == len(column):
        return column.view(len(lengths), -1)
    padded = column.new_full((len(lengths), int(lengths.max(initial=0))), -torch.inf)
    padded[_own(lengths, column)] = column
    return padded


def _own(lengths: IntArray, like: Tensor) -> Tensor:
    """Return the mask of `by_window`: true for tokens, false for padding."""
    own: Tensor = torch.from_numpy(np.arange(int(lengths.max(initial=0))) < lengths[:, None])
    return own.to(like.device)


def _windows(lengths: IntArray, like: Tensor) -> tuple[Tensor, Tensor]:
    """Return the row of each window's first token, `[windows]`, and the number of each token's window, `[tokens]`."""
    first = torch.from_numpy(np.cumsum(lengths) - lengths)
    window = torch.from_numpy(np.repeat(np.arange(len(lengths)), lengths))
    return first.to(like.device), window.to(like.device)


def _initialize(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02, a=-0.04, b=0.04)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


SPAN = SpanObjective()
ANSWER = AnswerObjective()
