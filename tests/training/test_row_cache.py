"""The cache of a teacher's numbers: what is found, what is computed again, what is told apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from albertkit.training.row_cache import Array, RowCache, Text


class Lengths:
    """A teacher's answers: the number of characters of each text, twice."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, chunks: list[Sequence[Text]]) -> Iterator[Array]:
        for texts in chunks:
            self.asked.append(len(texts))
            yield np.array([[len(text), len("".join(text))] for text in texts], np.float64)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ALBERTKIT_CACHE", str(tmp_path))
    return tmp_path / "teachers"


def test_what_was_computed_is_found_and_what_is_new_is_computed(folder: Path) -> None:
    texts = ["a", "bb", "ccc", "dddd", "eeeee"]
    lengths, counts = Lengths(), list[int]()
    cache = RowCache("teacher", width=2, dtype=np.float32)
    first = cache.rows(texts, lengths, per_file=2, progress=counts.append)
    assert (first.dtype, first[:, 0].tolist()) == (np.float32, [1, 2, 3, 4, 5])
    assert (lengths.asked, counts, len(list(folder.iterdir()))) == ([2, 2, 1], [0], 3)
    again = cache.rows([*texts[:4], "new"], lengths, per_file=2, progress=counts.append)
    assert again[:, 0].tolist() == [1, 2, 3, 4, 3]
    assert (lengths.asked[3:], counts) == ([1], [0, 4])


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 nonsense", None])
def test_a_damaged_file_is_computed_again(content: bytes | None, folder: Path) -> None:
    cache, lengths = RowCache("teacher", width=2, dtype=np.float32), Lengths()
    first = cache.rows(["a", "bb"], lengths)
    (file,) = folder.iterdir()
    file.write_bytes(file.read_bytes()[:-9] if content is None else content)
    np.testing.assert_array_equal(cache.rows(["a", "bb"], lengths), first)
    assert lengths.asked == [2, 2]


@pytest.mark.parametrize(
    ("digest", "texts", "changes"),
    [
        ("other", ["a", "bb"], {}),
        ("teacher", ["bb", "a"], {}),
        ("teacher", ["ab", "b"], {}),
        ("teacher", [("a", "bb")], {}),
        ("teacher", ["a", "bb"], {"width": 3}),
        ("teacher", ["a", "bb"], {"dtype": np.float16}),
    ],
)
def test_other_teachers_texts_pairs_and_widths_have_numbers_of_their_own(
    digest: str, texts: list[Text], changes: dict[str, Any], folder: Path
) -> None:
    lengths = Lengths()
    RowCache("teacher", width=2, dtype=np.float32).rows(["a", "bb"], lengths)
    RowCache(digest, **{"width": 2, "dtype": np.float32, **changes}).rows(texts, lengths)
    assert lengths.asked == [2, len(texts)]
    assert folder.is_dir()
