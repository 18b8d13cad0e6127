"""`albertkit order`."""

from __future__ import annotations

import pytest
from tests.cli.running import ONE_THREAD, Runner
from tests.tiny import execution, tiny_folder
from tests.tiny_pretrained import pretrained_folder

from albertkit.inference.predictor import Predictor
from albertkit.inference.pretraining_predictor import sentence_order

FIRST, SECOND = "She opened the door.", "Nobody was there."


def test_one_probability(albertkit: Runner) -> None:
    found = albertkit("order", pretrained_folder(), FIRST, SECOND, *ONE_THREAD, "--json").json
    wanted = sentence_order(Predictor.load(pretrained_folder(), execution=execution()), FIRST, SECOND)
    assert found == {"probability_in_order": pytest.approx(wanted, abs=1e-6)}
    assert 0 < wanted < 1
    swapped = albertkit("order", pretrained_folder(), SECOND, FIRST, *ONE_THREAD, "--json").json
    assert swapped != found


def test_a_line_for_people(albertkit: Runner) -> None:
    outcome = albertkit("order", pretrained_folder(), FIRST, SECOND, *ONE_THREAD)
    assert outcome.out.startswith("in order with a probability of 0.")


def test_a_model_without_the_head_exits_2(albertkit: Runner) -> None:
    outcome = albertkit("order", tiny_folder(), FIRST, SECOND, *ONE_THREAD, "--json")
    assert (outcome.status, outcome.out) == (2, "")
    assert "holds no sentence-order head (heads: none)" in outcome.err
