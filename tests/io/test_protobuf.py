"""The wire reader against worked examples of the format's own documentation, and its refusals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from albertkit.errors import AlbertkitError
from albertkit.io.protobuf import (
    BYTES,
    FIXED32,
    FIXED64,
    ProtobufError,
    read_fields,
    read_float,
    read_varint,
)
from albertkit.text.vocabulary import official_vocabulary


def test_worked_examples_of_the_encoding_guide() -> None:
    assert [tuple(field) for field in read_fields(b"\x08\x96\x01")] == [(1, 0, 150)]
    assert [tuple(field) for field in read_fields(b"\x12\x07testing")] == [(2, BYTES, b"testing")]
    assert read_varint(b"\xff" * 9 + b"\x01", 0) == (2**64 - 1, 10)


def test_fixed_widths_and_floats() -> None:
    fields = list(read_fields(b"\x0d\x00\x00\x80\x3f\x11" + b"\x00" * 6 + b"\xf0\x3f"))
    assert [field.wire_type for field in fields] == [FIXED32, FIXED64]
    assert [read_float(field.value) for field in fields] == [1.0, 1.0]
    with pytest.raises(ProtobufError, match="expected a number"):
        read_float(3)


@pytest.mark.parametrize(
    "data, message",
    [
        (b"\x08", "ends within a number at byte 1 of 1"),
        (b"\x08\xff\xff", "cut off"),
        (b"\x08" + b"\xff" * 10 + b"\x01", "wider than 64 bits"),
        (b"\x08" + b"\xff" * 9 + b"\x02", "wider than 64 bits"),
        (b"\x12\x07test", "claims 7 bytes, 4 are left"),
        (b"\x12\xff\xff\xff\xff\x0f", "claims 4294967295 bytes, 0 are left"),
        (b"\x0d\x00", "claims 4 bytes, 1 are left"),
        (b"\x00\x01", "field number 0"),
        (b"\x0b", "wire type 3"),
        (b"\x0f", "wire type 7"),
    ],
)
def test_refuses_what_cannot_be(data: bytes, message: str) -> None:
    with pytest.raises(ProtobufError, match=message) as caught:
        list(read_fields(data, where="some.model"))
    assert str(caught.value).startswith("some.model: ")


@given(st.binary(max_size=60))
def test_any_bytes_end_in_fields_or_in_one_error(data: bytes) -> None:
    try:
        fields = list(read_fields(data))
    except AlbertkitError:
        return
    assert sum(len(field.value) for field in fields if isinstance(field.value, bytes)) <= len(data)


def test_reads_the_official_vocabulary_like_the_library() -> None:
    import sentencepiece

    model = official_vocabulary()
    processor = sentencepiece.SentencePieceProcessor(model_file=str(model))
    pieces = [field.value for field in read_fields(model.read_bytes()) if field.number == 1]
    assert len(pieces) == 30000
    for number in (0, 5, 13, 14, 29999):
        fields = {field.number: field.value for field in read_fields(pieces[number])}
        assert fields[1].decode() == processor.IdToPiece(number)
        assert read_float(fields[2]) == processor.GetScore(number)
