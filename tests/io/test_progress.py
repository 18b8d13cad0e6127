"""Progress: plain lines by the clock where standard error is no terminal, a bar where it is, nothing on request."""

from __future__ import annotations

import io
import sys

import pytest

from albertkit.io.progress import Console, Lines, Silent


class Clock:
    """A clock that the test sets, in place of the module `time`."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        """Return the seconds."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr("albertkit.io.progress.time", found)
    return found


class Stream(io.StringIO):
    """Standard error that is a terminal, or is none."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


def run(clock: Clock, seconds: int, *, total: int, per_second: int = 1) -> list[tuple[float, str]]:
    """Advance once per second; return the second and the text of each line."""
    lines: list[tuple[float, str]] = []
    advance = Lines("training", total=total, write=lambda line: lines.append((clock.now - 100, line)))
    for _ in range(seconds):
        clock.now += 1
        advance(per_second, info="epoch 1, loss 0.693, 512 tokens/s")
    return lines


def test_a_line_every_five_seconds_at_first_and_every_thirty_later(clock: Clock) -> None:
    lines = run(clock, 180, total=1000)
    assert [second for second, _ in lines] == [*range(5, 61, 5), 90, 120, 150, 180]
    assert lines[0][1] == "training: 5 of 1,000, 1/s, 16 min 35 s left, epoch 1, loss 0.693, 512 tokens/s"


def test_short_work_writes_nothing(clock: Clock) -> None:
    assert run(clock, 4, total=4) == []


def test_the_last_line_names_no_time_left(clock: Clock) -> None:
    lines = run(clock, 5, total=100, per_second=20)
    assert lines == [(5, "training: 100 of 100, 20/s, epoch 1, loss 0.693, 512 tokens/s")]


def test_what_an_earlier_run_did_does_not_count_as_speed(clock: Clock) -> None:
    lines: list[str] = []
    advance = Lines("training", total=1000, write=lines.append)
    advance(900)
    for _ in range(5):
        clock.now += 1
        advance(2)
    assert lines == ["training: 910 of 1,000, 2/s, 45 s left"]


def test_one_call_that_takes_long_has_no_speed_yet(clock: Clock) -> None:
    lines: list[str] = []
    advance = Lines("embedding", total=64, write=lines.append)
    clock.now += 7
    advance(32)
    assert lines == ["embedding: 32 of 64"]


@pytest.mark.parametrize(
    ("terminal", "switch", "drawn", "written"),
    [(False, None, False, True), (False, "0", False, False), (True, None, True, False), (True, "0", False, False)],
)
def test_the_console_draws_writes_or_is_silent(
    terminal: bool, switch: str | None, drawn: bool, written: bool, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Stream(terminal=terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("ALBERTKIT_PROGRESS")
    if switch is not None:
        monkeypatch.setenv("ALBERTKIT_PROGRESS", switch)
    with Console().bar("training", total=3) as advance:
        clock.now += 6
        advance(1, info="loss [b]1[/b]")
    Console().report("done")
    text = stream.getvalue()
    assert text.endswith("done\n")
    assert ("training: 1 of 3, loss [b]1[/b]\n" in text) == written
    assert ("\x1b[" in text) == drawn


def test_silent_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Silent().bar("training", total=1) as advance:
        advance(1)
    Silent().report("done")
    assert capsys.readouterr() == ("", "")
