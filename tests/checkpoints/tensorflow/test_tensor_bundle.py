"""Tensor bundles: what TensorFlow wrote we read and write byte for byte; damaged and foreign ones are refused."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import torch

from albertkit.checkpoints.tensorflow.crc32c import masked_crc32c
from albertkit.checkpoints.tensorflow.sstable import read_table, table_bytes, varint
from albertkit.checkpoints.tensorflow.tensor_bundle import DTYPES, Bundle, read_bundle
from albertkit.checkpoints.tensorflow.tensor_bundle_writer import write_bundle
from albertkit.checkpoints.tensorflow.tensor_slices import slice_key
from albertkit.errors import CheckpointError
from checkpoints.tensorflow.tf1_folders import memory_limited_to, mutations, outcome

HEADER = bytes([0x08, 1, 0x1A, 2, 0x08, 1])  # 1 data file, producer 1


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def entry(
    *, dtype: int = 1, shape: tuple[int, ...] = (), offset: int = 0, size: int = 0, shard: int = 0, crc: int = 0
) -> bytes:
    dims = b"".join(field(2, field(1, each)) for each in shape)
    numbers = field(1, dtype) + field(2, dims) + field(3, shard) + field(4, offset) + field(5, size)
    return numbers + bytes([0x35]) + struct.pack("<I", crc)


def packed(content: bytes, **values: int | tuple[int, ...]) -> bytes:
    return entry(size=len(content), crc=masked_crc32c(content), **values)  # type: ignore[arg-type]


def bundle(folder: Path, table: dict[bytes, bytes], *data: bytes) -> Path:
    prefix = folder / "model.ckpt"
    (folder / "model.ckpt.index").write_bytes(table_bytes(table))
    for number, content in enumerate(data):
        (folder / f"model.ckpt.data-{number:05d}-of-{len(data):05d}").write_bytes(content)
    return prefix


def read_first(prefix: Path) -> torch.Tensor:
    read = read_bundle(prefix)
    return read.tensor(next(iter(read.entries)))


def refusal(prefix: Path) -> str:
    with memory_limited_to(500 << 20), pytest.raises(CheckpointError) as caught:
        read_first(prefix)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{prefix}.")
    return str(caught.value)


def names(read: Bundle) -> list[str]:
    return [name for name, value in read.entries.items() if value.dtype in DTYPES]


def test_every_type_there_and_back(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(3)
    numbers = torch.randint(0, 100, (3, 5), generator=generator)
    tensors = {f"typed/{str(dtype)[6:]}": numbers.to(dtype) for dtype in DTYPES.values()}
    tensors |= {"bits": numbers > 50, "none": torch.empty(0, 7), "one": torch.tensor(7.5), "turned": numbers.t()}
    write_bundle(tmp_path / "b", tensors)
    read = read_bundle(tmp_path / "b")
    assert list(read.entries) == sorted(tensors)
    for name, tensor in tensors.items():
        found = read.tensor(name)
        assert found.dtype == tensor.dtype, name
        assert torch.equal(found, tensor), name
        assert read.entries[name].shape == tuple(tensor.shape)


def test_writing_to_a_tensor_leaves_the_file_alone(tmp_path: Path) -> None:
    write_bundle(tmp_path / "b", {"a": torch.ones(5000)})
    before = (tmp_path / "b.data-00000-of-00001").read_bytes()
    read_bundle(tmp_path / "b").tensor("a").zero_()
    assert (tmp_path / "b.data-00000-of-00001").read_bytes() == before


def test_equal_to_tensorflow_byte_for_byte(shared: Path, tmp_path: Path) -> None:
    for folder in ("tf1_mlm_sop", "tf1_no_projection", "tf1_two_groups_two_inner_relu"):
        prefix = shared / "fixtures" / folder / "model.ckpt-best"
        read = read_bundle(prefix)
        write_bundle(tmp_path / "model.ckpt-best", {name: read.tensor(name) for name in read.entries})
        for end in (".index", ".data-00000-of-00001"):
            name = prefix.name + end
            assert (tmp_path / name).read_bytes() == (prefix.parent / name).read_bytes(), (folder, name)


def test_strings_and_numbers_across_words(shared: Path) -> None:
    read = read_bundle(shared / "fixtures" / "tfhub2_with_mlm" / "variables" / "variables")
    graph = read.bytes("_CHECKPOINTABLE_OBJECT_GRAPH")
    assert b"VARIABLE_VALUE" in graph
    assert len(graph) == 24596
    assert len(names(read)) == len(read.entries) - 1
    assert all(bool(read.tensor(name).isfinite().all()) for name in names(read))


def string(value: bytes) -> tuple[bytes, int]:
    length = struct.pack("<I", len(value))
    inner = struct.pack("<I", masked_crc32c(length))
    return varint(len(value)) + inner + value, masked_crc32c(length, inner, value)


def test_a_string_before_numbers(tmp_path: Path) -> None:
    content, crc = string(b"odd length!" * 31)
    numbers = struct.pack("<3f", 1.5, -2.5, 3.5)
    table = {
        b"": HEADER,
        b"a": entry(dtype=7, size=len(content), crc=crc),
        b"b": packed(numbers, shape=(3,), offset=len(content)),
    }
    read = read_bundle(bundle(tmp_path, table, content + numbers))
    assert len(content) % 4
    assert read.bytes("a") == b"odd length!" * 31
    assert read.tensor("b").tolist() == [1.5, -2.5, 3.5]
    with pytest.raises(CheckpointError, match='"a" holds text, not numbers'):
        read.tensor("a")
    with pytest.raises(CheckpointError, match='"b" is not a single string'):
        read.bytes("b")
    with pytest.raises(CheckpointError, match='has no tensor "c"'):
        read.bytes("c")


def test_damaged_strings(tmp_path: Path) -> None:
    content, crc = string(b"text")
    for damaged, expected in (
        (content[:-1] + b"x", "checksum"),
        (content[:1] + b"\0" + content[2:], "checksum"),
        (content + b"x", "its length does not fit"),
        (b"\xff" * 9, "is cut off"),
        (b"", "cannot be read"),
    ):
        prefix = bundle(tmp_path, {b"": HEADER, b"a": entry(dtype=7, size=len(damaged), crc=crc)}, damaged)
        with pytest.raises(CheckpointError, match=expected):
            read_bundle(prefix).bytes("a")


def test_two_data_files(tmp_path: Path) -> None:
    one, two = struct.pack("<2f", 1, 2), struct.pack("<f", 3)
    table = {b"": field(1, 2), b"a": packed(two, shape=(1,), shard=1), b"b": packed(one, shape=(2,))}
    read = read_bundle(bundle(tmp_path, table, one, two))
    assert read.tensor("a").tolist() == [3]
    assert read.tensor("b").tolist() == [1, 2]
    (tmp_path / "model.ckpt.data-00001-of-00002").unlink()
    assert "model.ckpt.data-00001-of-00002: the file is missing" in refusal(tmp_path / "model.ckpt")


# Keys that TensorFlow 2.21 gave to the four pieces of a variable [700, 3] (tensorflow_loads.py save).
PIECES = (
    b"\x00whole\x00\x01\x01\x02\x80\xc0\xaf\x80\x83",
    b"\x00whole\x00\x01\x01\x02\xc0\xaf\xc0\xaf\x80\x83",
    b"\x00whole\x00\x01\x01\x02\xc1^\xc0\xaf\x80\x83",
    b"\x00whole\x00\x01\x01\x02\xc2\r\xc0\xaf\x80\x83",
)


def extents(*pairs: tuple[int, int | None]) -> bytes:
    parts = [field(1, field(1, start) + (b"" if length is None else field(2, length))) for start, length in pairs]
    return field(7, b"".join(parts))


def test_the_keys_of_pieces() -> None:
    assert tuple(slice_key("whole", ((start, 175), (0, 3))) for start in (0, 175, 350, 525)) == PIECES
    # 10 bytes: one of the examples in ordered_code.cc, and the largest numbers
    assert slice_key("", ((0x424242, -0x800),)) == b"\0\0\1\1\1" + bytes.fromhex("f0424242") + bytes.fromhex("3800")
    assert slice_key("", ((2**63 - 1, 2**56),))[5:] == bytes.fromhex("ffc07fffffffffffffff" + "ff8100000000000000")


def partitioned(folder: Path, *, places: tuple[int, ...] = (0, 175, 350, 525), rows: int = 175) -> Path:
    data = torch.arange(2100, dtype=torch.float32).numpy().tobytes()
    whole = entry(shape=(700, 3)) + b"".join(extents((place, rows), (0, 3)) for place in places)
    table = {b"": HEADER, b"whole": whole}
    for number, key in enumerate(PIECES):
        part = data[number * 2100 : (number + 1) * 2100]
        table[key] = packed(part, shape=(175, 3), offset=number * 2100)
    return bundle(folder, table, data)


def test_a_partitioned_variable(tmp_path: Path) -> None:
    read = read_bundle(partitioned(tmp_path))
    assert list(read.entries) == ["whole"]
    assert torch.equal(read.tensor("whole"), torch.arange(2100, dtype=torch.float32).view(700, 3))


def test_pieces_that_do_not_fit(tmp_path: Path) -> None:
    assert "do not add up" in refusal(partitioned(tmp_path, places=(0, 175, 350)))
    assert "overlap" in refusal(partitioned(tmp_path, places=(0, 175, 350, 350)))
    assert "missing or of another shape" in refusal(partitioned(tmp_path, places=(0, 175, 350, 524)))
    assert "lies outside" in refusal(partitioned(tmp_path, places=(0, 175, 350, 526)))


def test_a_piece_that_is_a_whole_dimension(tmp_path: Path) -> None:
    data = struct.pack("<4f", 1, 2, 3, 4)
    table = {b"": HEADER, b"w": entry(shape=(2, 2)) + extents((0, 1), (0, None)) + extents((1, 1), (0, None))}
    for row in range(2):
        key = slice_key("w", ((row, 1), (0, -1)))
        table[key] = packed(data[8 * row : 8 * row + 8], shape=(1, 2), offset=8 * row)
    assert read_bundle(bundle(tmp_path, table, data)).tensor("w").tolist() == [[1, 2], [3, 4]]


ONE = struct.pack("<f", 1)


@pytest.mark.parametrize(
    "table, expected",
    [
        ({b"a": packed(ONE)}, "has no header of a TensorFlow checkpoint"),
        ({b"": field(1, b"meta")}, "is a checkpoint of TensorFlow's first format"),
        ({b"": HEADER + field(2, 1)}, "was written on a big-endian machine"),
        ({b"": field(1, 1) + field(3, field(1, 2) + field(2, 2))}, "needs a reader of version 2"),
        ({b"": b""}, "names no data file"),
        ({b"": field(1, 1 << 31)}, "model.ckpt.data-00000-of-2147483648: the file is missing"),
        ({b"": field(1, (1 << 64) - 1)}, "field 1 holds an impossible number"),
        ({b"": b"\x08"}, "cut off"),
        ({b"": HEADER, b"a": b"\x12\x05"}, "cut off or corrupt"),
        ({b"": HEADER, b"a": field(2, 1)}, "is not a message"),
        ({b"": HEADER, b"a": field(6, 1)}, "is not a number of four bytes"),
        ({b"": HEADER, b"a": field(2, field(3, 1))}, "has no known shape"),
        ({b"": HEADER, b"a": entry(shape=(1,) * 65)}, "more than 64 dimensions"),
        ({b"": HEADER, b"a": entry(shape=((1 << 64) - 1,))}, "field 1 holds an impossible number"),
        ({b"": HEADER, b"\xff": packed(ONE)}, "is not UTF-8"),
        ({b"": HEADER, b"a": packed(ONE, shard=1)}, '"a" is in data file 1 of 1'),
        ({b"": HEADER, b"a": entry(shape=(1 << 40,), size=1 << 42)}, 'has 4 bytes, but "a" ends at byte 4398046511104'),
        ({b"": HEADER, b"a": packed(ONE, offset=1)}, 'has 4 bytes, but "a" ends at byte 5'),
        ({b"": HEADER, b"a": packed(ONE), b"b": packed(ONE)}, "its tensors take 8 bytes, the data files hold 4"),
        ({b"": HEADER, b"a": packed(ONE, shape=(1 << 60, 1 << 60))}, "but the shape"),
        ({b"": HEADER, b"a": packed(ONE, dtype=2)}, "but the shape [] and the type float64 take 8"),
        ({b"": HEADER, b"a": packed(ONE, dtype=20)}, "holds values of TensorFlow's type 20, not numbers"),
        ({b"": HEADER, b"a": packed(b"1234")}, 'the checksum of "a" does not fit'),
    ],
)
def test_bundles_that_cannot_be(tmp_path: Path, table: dict[bytes, bytes], expected: str) -> None:
    assert expected in refusal(bundle(tmp_path, table, ONE))


def test_only_what_is_read_is_checked(tmp_path: Path) -> None:
    table = {b"": HEADER, b"a": packed(ONE), b"b": entry(size=4, crc=1, offset=4)}
    read = read_bundle(bundle(tmp_path, table, ONE + ONE))
    assert read.tensor("a").item() == 1
    with pytest.raises(CheckpointError, match='checksum of "b"'):
        read.tensor("b")


def test_huge_empty_tensors(tmp_path: Path) -> None:
    for shape in ((0, 1 << 62), (1 << 62, 0, 1 << 62)):
        prefix = bundle(tmp_path, {b"": HEADER, b"a": entry(shape=shape)}, ONE)
        assert outcome(lambda prefix=prefix: read_bundle(prefix).tensor("a")) in (  # type: ignore[misc]
            "fine", "CheckpointError",
        )  # fmt: skip


def test_damaged_bundles_raise_nothing_else(tmp_path: Path) -> None:
    tensors = {f"bert/layer_{number}/kernel": torch.full((2, 3), number / 7) for number in range(6)}
    write_bundle(tmp_path / "model.ckpt", tensors)
    index = tmp_path / "model.ckpt.index"
    table = read_table(index)

    def read_all() -> None:
        read = read_bundle(tmp_path / "model.ckpt")
        for name in read.entries:
            (read.bytes if read.entries[name].dtype == 7 else read.tensor)(name)

    outcomes = []
    for number, damaged in enumerate(mutations(table[b"bert/layer_3/kernel"], count=100, seed=11)):
        key = b"" if number % 4 == 0 else b"bert/layer_3/kernel"
        index.write_bytes(table_bytes({**table, key: damaged}))  # with checksums that fit
        outcomes.append(outcome(read_all))
    assert set(outcomes) <= {"fine", "CheckpointError"}
    assert outcomes.count("CheckpointError") > 50
