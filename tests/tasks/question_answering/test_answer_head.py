"""Google's head for SQuAD 2.0 against its formulas, written plainly for one padded window at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tests.tiny import CONFIG, SEED, tiny_network
from torch import Tensor, nn

from albertkit.batching.batch import Batch
from albertkit.checkpoints.shapes import head_shapes
from albertkit.data.examples import Answer, SpanExample
from albertkit.errors import UsageError
from albertkit.tasks.head_spec import HeadSpec
from albertkit.tasks.network import Network
from albertkit.tasks.objective import objective_of
from albertkit.tasks.question_answering import QUESTION_ANSWERING_V2
from albertkit.tasks.question_answering.head import AnswerObjective
from albertkit.text.tokenizer import Tokenizer

LENGTHS = np.array([9, 3, 14, 6, 4])  # one of three special tokens and no context
QUESTION_TOKENS = [2, 0, 5, 1, 1]
SEGMENTS = np.concatenate(
    [(np.arange(length) >= 2 + asked).astype(np.int64) for length, asked in zip(LENGTHS, QUESTION_TOKENS, strict=True)]
)
TARGETS = torch.tensor([[5, 6], [0, 0], [7, 12], [0, 0], [0, 0]])
ONES = np.ones(len(LENGTHS), np.int64)


@pytest.fixture
def objective() -> AnswerObjective:
    found = objective_of(QUESTION_ANSWERING_V2)
    assert isinstance(found, AnswerObjective)
    return found


@pytest.fixture
def head(objective: AnswerObjective) -> nn.Module:
    torch.manual_seed(3)
    head = objective.build(CONFIG, 7)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.normal_(std=0.7)
    return head.eval()


def states() -> Tensor:
    return torch.randn(int(LENGTHS.sum()), CONFIG.hidden_size, generator=torch.Generator().manual_seed(5))


def plain_window(weights: dict[str, Tensor], hidden: Tensor, asked: int, start_row: int | None) -> dict[str, Any]:
    """create_v2_model for one window `[tokens, hidden]`; the end given `start_row`, or given each of the five best."""
    count = len(hidden)
    p_mask = torch.ones(count)
    p_mask[0] = 0
    p_mask[asked + 2 : count - 1] = 0

    def masked(logits: Tensor) -> Tensor:
        return logits * (1 - p_mask) - 1e30 * p_mask

    start = masked((hidden @ weights["start.weight"].T + weights["start.bias"])[:, 0])

    def end_given(row: int) -> Tensor:
        both = torch.cat([hidden, hidden[row].expand(count, -1)], dim=-1)
        mixed = torch.tanh(both @ weights["end.dense.weight"].T + weights["end.dense.bias"])
        centred = mixed - mixed.mean(-1, keepdim=True)
        normal = centred / (centred.pow(2).mean(-1, keepdim=True) + 1e-12).sqrt()
        normal = normal * weights["end.norm.weight"] + weights["end.norm.bias"]
        return masked((normal @ weights["end.output.weight"].T + weights["end.output.bias"])[:, 0])

    expected = start.softmax(0) @ hidden
    both = torch.cat([expected, hidden[0]])
    none = torch.tanh(weights["answerable.dense.weight"] @ both + weights["answerable.dense.bias"])
    beams = [start_row] if start_row is not None else start.topk(min(5, count)).indices.tolist()
    return {
        "start": start,
        "ends": [end_given(row) for row in beams],
        "none": weights["answerable.output.weight"][0] @ none,
        "choosable": int((1 - p_mask).sum()),
    }


def plain_loss(found: dict[str, Any], end: Tensor, target: Tensor) -> Tensor:
    missing = float(target[0] == 0)
    sure = torch.sigmoid(found["none"])
    binary = -(missing * sure.log() + (1 - missing) * (1 - sure).log())
    spans = -(found["start"].log_softmax(0)[target[0]] + end.log_softmax(0)[target[1]])
    return 0.5 * spans + 0.5 * binary


def test_names_and_shapes_are_the_canonical_ones(head: nn.Module) -> None:
    own = {f"heads.answer.{name}": tuple(tensor.shape) for name, tensor in head.state_dict().items()}
    assert own == head_shapes(CONFIG, "answer")


def test_outputs_are_those_of_the_formulas(objective: AnswerObjective, head: nn.Module) -> None:
    rows = objective.outputs(head, states(), lengths=LENGTHS, segments=SEGMENTS)
    assert rows.shape == (LENGTHS.sum(), 7)
    assert bool(torch.isfinite(rows).all())
    for part, hidden, asked in zip(
        rows.split(LENGTHS.tolist()), states().split(LENGTHS.tolist()), QUESTION_TOKENS, strict=True
    ):
        found = plain_window(head.state_dict(), hidden, asked, None)
        torch.testing.assert_close(part[:, 0], found["start"], atol=1e-5, rtol=1e-5)
        for beam in range(min(5, found["choosable"])):
            torch.testing.assert_close(part[:, 1 + beam], found["ends"][beam], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(part[:, 6], found["none"].expand(len(hidden)), atol=1e-5, rtol=1e-5)


def test_the_loss_in_training_is_that_of_the_formulas(objective: AnswerObjective, head: nn.Module) -> None:
    mine = states().requires_grad_()
    _, losses = objective.losses(head, mine, lengths=LENGTHS, counts=ONES, targets=TARGETS, segments=SEGMENTS)
    plain = states().requires_grad_()
    wanted = []
    for hidden, asked, target in zip(plain.split(LENGTHS.tolist()), QUESTION_TOKENS, TARGETS, strict=True):
        found = plain_window(head.state_dict(), hidden, asked, int(target[0]))
        wanted.append(plain_loss(found, found["ends"][0], target))
    torch.testing.assert_close(losses, torch.stack(wanted), atol=1e-5, rtol=1e-5)
    (gradient,) = torch.autograd.grad(losses.sum(), mine)
    torch.testing.assert_close(gradient, torch.autograd.grad(torch.stack(wanted).sum(), plain)[0], atol=1e-5, rtol=1e-4)


def test_the_loss_of_validation_conditions_on_a_beam(objective: AnswerObjective, head: nn.Module) -> None:
    rows = objective.outputs(head, states(), lengths=LENGTHS, segments=SEGMENTS)
    losses = objective.losses_of(rows, lengths=LENGTHS, counts=ONES, targets=TARGETS)
    hit = 0
    for number, (hidden, asked) in enumerate(zip(states().split(LENGTHS.tolist()), QUESTION_TOKENS, strict=True)):
        target = TARGETS[number]
        found = plain_window(head.state_dict(), hidden, asked, None)
        beams = found["start"].topk(min(5, len(hidden))).indices.tolist()
        beam = beams.index(int(target[0])) if int(target[0]) in beams else 0
        hit += int(target[0]) in beams
        torch.testing.assert_close(losses[number], plain_loss(found, found["ends"][beam], target), atol=1e-5, rtol=1e-5)
    assert hit >= 3


def test_without_token_types_it_does_not_guess(objective: AnswerObjective, head: nn.Module) -> None:
    with pytest.raises(AssertionError, match="pass token_type_ids"):
        objective.outputs(head, states(), lengths=LENGTHS)


def test_a_deep_head_is_refused(objective: AnswerObjective) -> None:
    with pytest.raises(UsageError, match="the head of question answering is fixed"):
        objective.build(CONFIG, 7, HeadSpec((8,)))


@pytest.mark.learning
def test_a_tiny_network_learns_answers_and_their_absence(objective: AnswerObjective) -> None:
    names = ["Ann", "Bob", "Carla", "David"]
    places = ["red house", "old mill", "green tower", "small boat"]
    examples = []
    for number, (name, place) in enumerate(zip(names, places, strict=True)):
        context = f"{name} lives in the {place}."
        examples.append(SpanExample(f"Where does {name} live?", context, (Answer(place, context.index(place)),)))
        examples.append(SpanExample(f"Where does {names[number - 1]} live?", context, ()))
    encoded = QUESTION_ANSWERING_V2.encode(Tokenizer.official(), examples, max_length=48)
    targets = torch.from_numpy(QUESTION_ANSWERING_V2.unit_targets(encoded, examples, num_labels=0))
    torch.manual_seed(1 + SEED)
    network = Network(tiny_network().encoder, {"answer": objective.build(CONFIG, 7)})
    head = network.heads["answer"]
    batch = Batch.pack(encoded.sequences)
    given: dict[str, Any] = {"lengths": batch.lengths, "segments": batch.token_type_ids}
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    network.train()
    for step in range(240):
        optimizer.param_groups[0]["lr"] = 1e-2 * (1 - step / 240)  # a constant rate may leave the answers at its end
        optimizer.zero_grad()
        states = network(batch).sequence_output
        _, losses = objective.losses(head, states, counts=encoded.counts, targets=targets, **given)
        losses.mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    network.eval()
    with torch.inference_mode():
        rows = objective.outputs(head, network(batch).sequence_output, **given).numpy()
    answers = QUESTION_ANSWERING_V2.predictions(np.split(rows, batch.starts[1:]), encoded, examples, labels=())
    assert [row["answer"] for row in answers] == [one for place in places for one in (place, "")]
