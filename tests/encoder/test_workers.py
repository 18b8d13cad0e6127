"""Threads of one core each."""

from __future__ import annotations

import os
import threading

import pytest
import torch

from albertkit.encoder.workers import on_workers


def test_results_come_in_order_from_threads_of_one_core() -> None:
    before = torch.get_num_threads()
    names = set()

    def work(number: int) -> tuple[int, int, bool]:
        names.add(threading.current_thread().name)
        return number * number, torch.get_num_threads(), torch.is_inference_mode_enabled()

    assert on_workers(work, range(17), workers=3) == [(number * number, 1, True) for number in range(17)]
    assert len(names) <= 3
    assert torch.get_num_threads() == before


def test_a_thread_that_starts_later_has_the_old_number() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        on_workers(lambda part: part, [1, 2], workers=2)
        found: list[int] = []
        thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        assert found == [2]
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("parts", "workers"), [([4], 2), ([4, 5], 1), ([], 2)])
def test_nothing_to_share_out_runs_here(parts: list[int], workers: int) -> None:
    here = threading.current_thread()
    assert on_workers(lambda part: (part, threading.current_thread()), parts, workers=workers) == [
        (part, here) for part in parts
    ]


def test_an_error_reaches_the_caller() -> None:
    def work(number: int) -> int:
        raise ValueError(f"part {number}")

    with pytest.raises(ValueError, match="part 5"):
        on_workers(work, [5, 6], workers=2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_process_gets_workers_of_its_own() -> None:
    on_workers(lambda part: part, [1, 2], workers=2)
    child = os.fork()
    if child == 0:
        os._exit(0 if on_workers(lambda part: part + 1, [1, 2], workers=2) == [2, 3] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
