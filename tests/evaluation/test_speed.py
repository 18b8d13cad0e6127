"""The speeds of two models: the same texts in turn, by a clock that the models turn themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from albertkit.data.examples import TextExample
from albertkit.evaluation import speed
from albertkit.evaluation.speed import PASSES, SECONDS, TOGETHER, texts_per_second

ROWS = [TextExample(f"text {number}") for number in range(150)]


class Clock:
    """Models that take a given time per text; of every seventh call ten times as much, as on a busy machine."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[tuple[str, Sequence[TextExample]]] = []

    def model(self, name: str, *, seconds: float) -> Any:
        clock = self

        class Model:
            def logits(self, texts: Sequence[TextExample]) -> None:
                clock.calls.append((name, texts))
                clock.now += len(texts) * seconds * (10 if len(clock.calls) % 7 == 0 else 1)

        return Model()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(speed.time, "perf_counter", lambda: found.now)
    return found


def test_both_read_the_same_texts_in_turn_and_interruptions_do_not_count(clock: Clock) -> None:
    models = [clock.model("one", seconds=1e-4), clock.model("two", seconds=2e-4)]
    assert texts_per_second(models, ROWS) == pytest.approx([10_000, 5_000])
    warm, timed = clock.calls[:2], clock.calls[2:]
    assert [len(texts) for _, texts in warm] == [2, 2]
    assert [name for name, _ in timed] == ["one", "two"] * (3 * PASSES)
    assert all(one[1] == two[1] for one, two in zip(timed[::2], timed[1::2], strict=True))
    assert sorted(row.text for _, texts in timed[:6:2] for row in texts) == sorted(row.text for row in ROWS)


def test_a_slow_model_is_not_asked_for_long(clock: Clock) -> None:
    found = texts_per_second([clock.model("slow", seconds=1.0), clock.model("quick", seconds=1e-3)], ROWS)
    assert len(clock.calls) == 4  # one call of each after the first ones
    assert len(clock.calls[2][1]) == TOGETHER
    assert clock.now > SECONDS
    assert found[1] > 10 * found[0]


def test_one_text_is_enough(clock: Clock) -> None:
    assert texts_per_second([clock.model("one", seconds=0.5)], ROWS[:1]) == pytest.approx([2.0])
