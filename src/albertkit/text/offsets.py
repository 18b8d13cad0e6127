"""Map each piece to its characters in the original text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from albertkit.text.normalize import Aligned

Offset = tuple[int, int]
"""A span `[start, end)` in characters of the original text."""

_SPACE = "\u2581"


def piece_offsets(
    pieces: Sequence[str],
    *,
    length: int,
    aligned: Aligned | None,
    normalize: Callable[[str], tuple[str, list[int]]] | None,
) -> list[Offset]:
    """Return the span of each piece; spaces at its ends are not part of it, a piece of spaces has an empty span.

    The joined pieces are the text as the library normalised it, so iterating over them gives each piece's characters
    there. The library's alignment maps these to the text it was given, and `aligned` maps that to the original.

    Args:
        pieces: all pieces of the text, unknown ones with their characters.
        length: characters of the original text.
        aligned: the text that the library was given, with its spans in the original; None if both are the same.
        normalize: the library's normalisation, text -> (text, origin of each character); None where it only puts a mark
            in front and in place of each space.
    """
    if not pieces:
        return []
    if aligned is None:
        aligned = Aligned("", list(range(length)), list(range(1, length + 1)))
    if normalize is None:
        first = aligned.starts[0]
        return _walk(pieces, starts=[first, *aligned.starts, length], ends=[first, *aligned.ends])
    _, origins = normalize(aligned.text)  # one more origin than characters: the end
    source_starts = [*aligned.starts, length]
    starts = [source_starts[origin] for origin in origins]
    ends: list[int] = []
    following = len(aligned.text)
    for index in range(len(origins) - 2, -1, -1):
        # A character reaches to the next one that comes from elsewhere: what the library dropped belongs to it.
        if origins[index + 1] > origins[index]:
            following = origins[index + 1]
        # A mark that a vocabulary puts behind the last word comes from the end of the text.
        reach = min(max(following, origins[index] + 1), len(aligned.text))
        ends.append(aligned.ends[reach - 1] if reach else length)
    ends.reverse()
    return _walk(pieces, starts=starts, ends=ends)


def _walk(pieces: Sequence[str], *, starts: list[int], ends: list[int]) -> list[Offset]:
    # starts has one entry more than there are characters: the position of an empty span at the very end.
    offsets = []
    position = 0
    for piece in pieces:
        width = len(piece)
        first = position + width - len(piece.lstrip(_SPACE))
        last = position + len(piece.rstrip(_SPACE)) - 1
        position += width
        offsets.append((starts[first], ends[last]) if first <= last else (starts[position], starts[position]))
    assert position == len(ends), "the pieces do not make up the normalised text"
    return offsets
