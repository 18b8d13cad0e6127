"""The texts that int8's scales are measured on."""

from __future__ import annotations

from albertkit.data.sample_text import sample_texts
from albertkit.datasets import load_dataset


def test_they_are_lines_of_the_shipped_data_set() -> None:
    lines = {row.text for split in ("train", "dev", "test") for row in load_dataset("polarity", split=split)}
    texts = sample_texts(short=5, long=2)
    assert len(texts) == 7
    assert set(texts[:5]) <= lines
    assert all(any(text.startswith(line) for line in lines) for text in texts[5:])
    assert texts == sample_texts(short=5, long=2)
