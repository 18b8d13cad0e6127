"""Chunks and documents; a second, simple reading of the whole text judges."""

from __future__ import annotations

from pathlib import Path

import pytest

from albertkit.data.corpus.documents import Position, read_chunks, split_documents
from albertkit.data.corpus.inputs import find_inputs
from albertkit.errors import RunError


def documents_of(chunks: list[tuple[bytes, bool, bool]]) -> list[list[str]]:
    """Join the groups of chunks (text, mid_line, ends)."""
    found: list[list[str]] = [[]]
    for text, mid_line, ends in chunks:
        groups, _ = split_documents(text, mid_line=mid_line)
        found[-1] += groups[0]
        found += groups[1:]
        if ends:
            found.append([])
    return [document for document in found if document]


def simply(text: bytes) -> list[list[str]]:
    """Documents of one file, read at once."""
    documents: list[list[str]] = [[]]
    for line in text.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace").split("\n"):
        if line.strip():
            documents[-1].append(line)
        else:
            documents.append([])
    return [document for document in documents if document]


def words(documents: list[list[str]]) -> list[list[str]]:
    return [[line.replace("\0", " ").strip() for line in document] for document in documents]


@pytest.mark.parametrize("chunk_bytes", [16, 61, 997, 10_007, 1 << 20])
def test_chunks_lose_and_join_nothing(files: list[Path], chunk_bytes: int) -> None:
    chunks = list(read_chunks(find_inputs(files), chunk_bytes=chunk_bytes))
    assert sum(chunk.text_bytes for chunk in chunks) == sum(path.stat().st_size for path in files)
    assert sum(chunk.raw_bytes for chunk in chunks) == sum(path.stat().st_size for path in files)
    assert [record.name for chunk in chunks for record in chunk.finished] == [path.name for path in files]
    assert chunks[-1].end == Position(len(files))
    assert all(len(chunk.text) <= chunk_bytes + 6 for chunk in chunks)
    found = documents_of([(chunk.text, chunk.mid_line, bool(chunk.finished)) for chunk in chunks])
    expected = [document for path in files for document in simply(path.read_bytes())]
    longest = max(len(line) for path in files for line in path.read_bytes().split(b"\n"))
    split = sum(chunk.split_lines for chunk in chunks)
    assert (split > 0) == (chunk_bytes <= longest)
    if not split:
        assert words(found) == words(expected)
    elif chunk_bytes > 61:  # every line as it was, or in pieces
        assert ["".join("".join(document).split()) for document in words(found)] == [
            "".join("".join(document).split()) for document in words(expected)
        ]
        assert split == sum(len(line) >= chunk_bytes for path in files for line in path.read_bytes().split(b"\n"))


@pytest.mark.parametrize("chunk_bytes", [997, 10_007])
def test_going_on_gives_the_same_chunks(files: list[Path], chunk_bytes: int) -> None:
    sources = find_inputs(files)
    chunks = list(read_chunks(sources, chunk_bytes=chunk_bytes))
    whole = [chunk for chunk in range(len(chunks)) if not chunks[min(chunk + 1, len(chunks) - 1)].mid_line]
    for number in whole[:: max(1, len(whole) // 15)]:
        rest = list(read_chunks(sources, chunk_bytes=chunk_bytes, start=chunks[number].end))
        assert [(chunk.text, chunk.end) for chunk in rest] == [
            (chunk.text, chunk.end) for chunk in chunks[number + 1 :]
        ]


def test_going_on_needs_the_same_text(files: list[Path]) -> None:
    sources = find_inputs(files)
    chunks = list(read_chunks(sources, chunk_bytes=997))
    end = chunks[3].end
    assert end.offset
    path = files[end.file]
    path.write_bytes(b"!" + path.read_bytes()[1:])
    with pytest.raises(RunError, match=r"the first \d+ bytes of its text are not what they were"):
        list(read_chunks(sources, chunk_bytes=997, start=end))


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        (b"", [[], []]),
        (b"\n", [[], []]),
        (b"a", [["a"]]),
        (b"a\n", [["a"]]),
        (b"a\n\n", [["a"], []]),
        (b"\n\n\na\n \n\t\nb", [[], ["a"], ["b"]]),
        (b"a\r\nb\r\n\r\nc", [["a ", "b "], ["c"]]),
        (b"a\xc2\x85b\xe2\x80\xa8c\x0bd\x0ce\x1cf", [["a\x85b\u2028c\x0bd\x0ce\x1cf"]]),
        (b"a\n\xe2\x80\x83\xc2\xa0\nb", [["a"], ["b"]]),
        (b"a\x00\x07b\n\x00\nc", [["a  b"], ["c"]]),
    ],
)
def test_documents_by_hand(text: bytes, groups: list[list[str]]) -> None:
    assert split_documents(text)[0] == groups


def test_inside_a_line_nothing_ends() -> None:
    assert split_documents(b"\nb\n", mid_line=True)[0] == [["b"]]
    assert split_documents(b" \n\nb\n", mid_line=True)[0] == [[], ["b"]]


def test_oddities_are_counted() -> None:
    groups, counts = split_documents(
        "caf\u00e9".encode("latin1") + b"\n\xff\xff\n\xed\xa0\x80 ok\nc\xc3\xa9\x00\x7f\x1b\t\n"
    )
    assert groups == [["caf\ufffd", "\ufffd\ufffd", "\ufffd\ufffd\ufffd ok", "c\u00e9   \t"]]
    assert counts == (3, 3)


def test_a_long_line_is_cut_between_words_and_characters(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("ab cd " * 20 + "\u4e2d" * 50 + "\nend\n", encoding="utf-8")
    chunks = list(read_chunks(find_inputs([path]), chunk_bytes=32))
    assert sum(chunk.split_lines for chunk in chunks) == 1
    text = "".join(chunk.text.decode("utf-8") for chunk in chunks)  # strict: no character is in two
    assert text == path.read_text(encoding="utf-8") + "\n\n"
    assert {word for chunk in chunks for word in chunk.text.decode().split()} >= {"ab", "cd", "end"}
    assert documents_of([(chunk.text, chunk.mid_line, bool(chunk.finished)) for chunk in chunks])[0][-1] == "end"


def test_small_files_share_a_chunk(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"{number:02d}.txt").write_text(f"text {number}")
    chunks = list(read_chunks(find_inputs([tmp_path]), chunk_bytes=1000))
    assert len(chunks) == 1
    assert len(split_documents(chunks[0].text)[0]) == 51  # and the end
