"""`albertkit fill`."""

from __future__ import annotations

import pytest
from tests.cli.running import ONE_THREAD, Runner
from tests.tiny import execution, tiny_folder
from tests.tiny_pretrained import pretrained_folder

from albertkit.inference.predictor import Predictor
from albertkit.inference.pretraining_predictor import fill_masks

TEXT = "The capital [MASK] France is [MASK]."


def test_the_best_pieces_for_each_mask(albertkit: Runner) -> None:
    found = albertkit("fill", pretrained_folder(), TEXT, "--top", "3", *ONE_THREAD, "--json").json
    wanted = fill_masks(Predictor.load(pretrained_folder(), execution=execution()), TEXT, top=3)
    assert [list(fill) for fill in found] == [["position", "candidates"]] * 2
    assert [fill["position"] for fill in found] == [3, 6]
    for fill, expected in zip(found, wanted, strict=True):
        assert [list(candidate) for candidate in fill["candidates"]] == [["piece", "probability"]] * 3
        assert [one["piece"] for one in fill["candidates"]] == [one.piece for one in expected.candidates]
        probabilities = [one["probability"] for one in fill["candidates"]]
        assert probabilities == pytest.approx([one.probability for one in expected.candidates], abs=1e-6)


def test_lines_for_people(albertkit: Runner) -> None:
    outcome = albertkit("fill", pretrained_folder(), "one", "--pair", "two [MASK]", "--top", "2", *ONE_THREAD)
    assert (outcome.status, outcome.err) == (0, "")
    first, *candidates = outcome.out.splitlines()
    assert first == "position 4"
    assert len(candidates) == 2


def test_a_text_that_is_cut_says_so_beside_the_json(albertkit: Runner) -> None:
    outcome = albertkit("fill", pretrained_folder(), "[MASK] " + "word " * 100, *ONE_THREAD, "--json")
    assert len(outcome.json) == 1
    assert "note: the text is 39 tokens longer than the 64" in outcome.err


def test_refusals_exit_2(albertkit: Runner) -> None:
    for arguments, words in [
        ((pretrained_folder(), "no mask"), "the text holds no [MASK]"),
        ((tiny_folder(), TEXT), "holds no masked-piece head"),
        ((pretrained_folder(), TEXT, "--top", "0"), "--top is 0"),
    ]:
        outcome = albertkit("fill", *arguments, *ONE_THREAD, "--json")
        assert (outcome.status, outcome.out) == (2, "")
        assert words in outcome.err
