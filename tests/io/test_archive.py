"""Archives that want to do harm, or are merely broken: all or nothing is unpacked, and only below the folder."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import resource
import stat
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.tiny import files_limited_to

from albertkit.errors import CheckpointError, DataError
from albertkit.io import archive
from albertkit.io.archive import read_members, unpack
from albertkit.io.files import WriteError

KINDS = ("m.zip", "m.tar", "m.tar.gz", "m.tgz", "m.tar.bz2", "m.tar.xz")
FILES = {
    "albert_base/albert_config.json": b"{}",
    "albert_base/model.ckpt-best.data-00000-of-00001": random.Random(3).randbytes(40_001),
    "albert_base/30k-clean.model": b"",
    f"albert_base/{'long' * 40}/caf\u00e9.txt": b"a long name: a pax record or a GNU header",
}


def pack(path: Path, files: dict[str, bytes], *, form: int = tarfile.PAX_FORMAT) -> Path:
    """Write an archive of the kind that the path says."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
            for name, content in files.items():
                made.writestr(name, content)
        return path
    with tarfile.open(path, "w:" + path.suffix[1:].replace("tgz", "gz").replace("tar", ""), format=form) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def found(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", KINDS)
def test_all_kinds_unpack_to_what_was_packed(kind: str, tmp_path: Path) -> None:
    forms = [tarfile.PAX_FORMAT] if kind == "m.zip" else [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT]
    for form in forms:
        files = {k: v for k, v in FILES.items() if form != tarfile.USTAR_FORMAT or len(k) < 100}
        path = pack(tmp_path / kind, files, form=form)
        made = unpack(path, tmp_path / f"out{form}")
        assert found(tmp_path / f"out{form}") == files
        assert [place.as_posix() for place in made] == list(files)


def test_a_folder_packed_by_tar_itself(tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(content)
    subprocess.run(["tar", "czf", tmp_path / "m.tar.gz", "-C", tmp_path / "in", "."], check=True)
    unpack(tmp_path / "m.tar.gz", tmp_path / "out")
    assert found(tmp_path / "out") == FILES


def test_streams_of_several_parts(tmp_path: Path) -> None:
    raw = pack(tmp_path / "m.tar", FILES).read_bytes()
    half = len(raw) // 2
    for name, packer in (("a.tar.gz", gzip.compress), ("b.tar.bz2", bz2.compress), ("c.tar.xz", lzma.compress)):
        (tmp_path / name).write_bytes(packer(raw[:half]) + packer(raw[half:]))
        unpack(tmp_path / name, tmp_path / f"out-{name}")
        assert found(tmp_path / f"out-{name}") == FILES


# Refusals


def refused(path: Path, words: str) -> None:
    """Nothing may appear, next to the archive or anywhere."""
    before = sorted(path.parent.rglob("*"))
    with pytest.raises(CheckpointError, match=words) as refusal:
        unpack(path, path.parent / "out")
    assert str(refusal.value).startswith(f"{path}: ")
    assert "\n" not in str(refusal.value)
    assert sorted(path.parent.rglob("*")) == before


@pytest.mark.parametrize("kind", ["m.zip", "m.tar.gz"])
@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/x", "//x", "C:x", "c:/x", "..\\x", "a\\..\\..\\x", "..", "a/.."]
)
def test_names_that_lead_out(kind: str, name: str, tmp_path: Path) -> None:
    refused(pack(tmp_path / kind, {"good": b"x", name: b"x"}), "points outside the archive")


@pytest.mark.parametrize("kind", ["m.zip", "m.tar.gz"])
def test_other_names(kind: str, tmp_path: Path) -> None:
    refused(pack(tmp_path / kind, {"a\nb": b"x"}), "unprintable characters")
    refused(pack(tmp_path / kind, {"/".join("a" * 40): b"x"}), "40 folders deep, more than 16")
    with pytest.raises((WriteError, CheckpointError)):
        unpack(pack(tmp_path / kind, {"a": b"x", "a/b": b"x"}), tmp_path / "out")
    with pytest.raises(WriteError, match="too long"):
        unpack(pack(tmp_path / kind, {"a" * 300: b"x"}), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == [kind]


def test_the_same_name_twice(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "m.tar", "w") as tar:
        for name in ("a/b", "./a/./b"):
            tar.addfile(tarfile.TarInfo(name))
    refused(tmp_path / "m.tar", 'holds "a/b" twice')
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as made:
        made.writestr("a", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            made.writestr("a", b"2")
    refused(tmp_path / "m.zip", 'holds "a" twice')


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (tarfile.SYMTYPE, "is a link"),
        (tarfile.LNKTYPE, "is a link"),
        (tarfile.CHRTYPE, "is a device"),
        (tarfile.FIFOTYPE, "is a device"),
        (tarfile.GNUTYPE_SPARSE, "is a device or a sparse file"),
    ],
)
def test_links_and_devices(kind: bytes, words: str, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "m.tar", "w") as tar:
        info = tarfile.TarInfo("weights")
        info.type, info.linkname = kind, "/etc/hostname"
        tar.addfile(info)
    refused(tmp_path / "m.tar", words)


def test_a_link_in_a_zip(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("weights")
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as made:
        made.writestr(info, "/etc/hostname")
    refused(tmp_path / "m.zip", "is a link")


@pytest.mark.parametrize("kind", ["m.zip", "m.tar.gz", "m.tar.bz2", "m.tar.xz"])
def test_bombs(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "SMALL_BYTES", 2**20)
    path = tmp_path / kind
    if kind == "m.zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("zeros", bytes(2**21))
    else:
        info = tarfile.TarInfo("zeros")
        info.size = 2**21
        packer = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}[kind.rpartition(".")[2]]
        path.write_bytes(packer(info.tobuf() + bytes(info.size)))
    refused(path, "unpacks to far more than a model of its size does")


def test_a_zip_that_lies_on_its_sizes(tmp_path: Path) -> None:
    path = pack(tmp_path / "m.zip", {"zeros": bytes(2**20)})
    raw = path.read_bytes()
    path.write_bytes(raw.replace((2**20).to_bytes(4, "little"), (2**10).to_bytes(4, "little")))
    refused(path, "cannot be read as an archive")


def test_bombs_of_headers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "SMALL_BYTES", 2**20)
    monkeypatch.setattr(archive, "MAX_MEMBERS", 100)
    for kind, words in ((b"x", "a name takes"), (b"L", "a name takes"), (b"g", "far more"), (b"K", "far more")):
        info = tarfile.TarInfo("header")
        info.type, info.size = kind, 3 * 2**20
        (tmp_path / "m.tar.gz").write_bytes(gzip.compress(info.tobuf() + bytes(info.size)))
        refused(tmp_path / "m.tar.gz", words)


def test_too_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 9)
    files = {f"f{number}": b"" for number in range(9)}
    unpack(pack(tmp_path / "m.zip", files), tmp_path / "out")
    for kind in ("n.zip", "n.tar"):
        with pytest.raises(CheckpointError, match="more than 9 files"):
            unpack(pack(tmp_path / kind, {**files, "last": b""}), tmp_path / "out2")
    monkeypatch.setattr(archive, "_MAX_SHORT_DIRECTORY_BYTES", 99)
    with pytest.raises(CheckpointError, match="its list of members is too long"):
        unpack(tmp_path / "m.zip", tmp_path / "out2")
    assert not (tmp_path / "out2").exists()


def test_an_xz_that_wants_much_memory(tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]
    path = tmp_path / "m.tar.xz"
    path.write_bytes(lzma.compress(bytes(10_240), filters=filters))
    unpack(path, tmp_path / "out")
    raw = bytearray(path.read_bytes())
    raw[16] = 40  # the dictionary's size in the header of the block: 4 GiB
    raw[20:24] = zlib.crc32(raw[12:20]).to_bytes(4, "little")
    path.write_bytes(raw)
    with pytest.raises(CheckpointError, match="cannot be read as an archive"):
        unpack(path, tmp_path / "out2")


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_told_in_one_sentence(kind: str, tmp_path: Path) -> None:
    path = pack(tmp_path / kind, FILES)
    whole = path.read_bytes()
    draw = random.Random(11)
    for number in range(16):
        raw = bytearray(whole[: draw.randrange(len(whole))] if number % 2 else whole)
        for _ in range(number % 3 if raw else 0):
            raw[draw.randrange(len(raw))] = draw.randrange(256)
        path.write_bytes(raw)
        told = [_told(unpack, path, tmp_path / f"out{number}"), _told(_read_all, path)]
        assert not any("\n" in sentence for sentence in told)
        assert {place.name for place in tmp_path.iterdir()} <= {kind, *(f"out{each}" for each in range(16))}
        assert (tmp_path / f"out{number}").exists() == (told[0] == "")


def _read_all(path: Path) -> None:
    for _ in read_members(path, wanted=lambda _: True, error=CheckpointError):
        pass


def _told(act: Callable[..., object], *arguments: Path) -> str:
    """The sentence of a refusal, or nothing; any other exception fails the test."""
    try:
        act(*arguments)
    except (CheckpointError, WriteError) as refusal:
        return str(refusal)
    return ""


@pytest.mark.parametrize("kind", KINDS)
def test_truncation_is_always_seen(kind: str, tmp_path: Path) -> None:
    path = pack(tmp_path / kind, FILES)
    whole = path.read_bytes()
    for keep in (0, 7, len(whole) // 3, len(whole) // 2):
        path.write_bytes(whole[:keep])
        refused(path, "cannot be read as an archive")


def test_a_password(tmp_path: Path) -> None:
    path = pack(tmp_path / "m.zip", {"a": b"x"})
    raw = bytearray(path.read_bytes())
    raw[6] |= 1
    raw[raw.rfind(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(raw)
    refused(path, "cannot be unpacked .*password")


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    path = pack(tmp_path / "m.tar.gz", FILES)
    with files_limited_to(10_000), pytest.raises(WriteError, match="out: cannot be written"):
        unpack(path, tmp_path / "out")
    assert [each.name for each in tmp_path.iterdir()] == ["m.tar.gz"]


def test_a_folder_that_holds_something(tmp_path: Path) -> None:
    path = pack(tmp_path / "m.zip", {"a": b"x"})
    (tmp_path / "out").mkdir()
    unpack(path, tmp_path / "out")
    with pytest.raises(CheckpointError, match="is not an empty folder"):
        unpack(path, tmp_path / "out")
    with pytest.raises(DataError, match="nowhere"):
        unpack(tmp_path / "nowhere.zip", tmp_path / "out2", error=DataError)


def test_a_large_member_streams(tmp_path: Path) -> None:
    content = random.Random(5).randbytes(2**20) * 40
    path = pack(tmp_path / "m.tar", {"weights": content})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unpack(path, tmp_path / "out")
    assert (tmp_path / "out/weights").stat().st_size == len(content)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KB


def test_memory_of_a_bomb_is_bounded(tmp_path: Path) -> None:
    info = tarfile.TarInfo("weights")
    info.type, info.size = b"x", 2**33 - 1
    path = tmp_path / "m.tar.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(info.tobuf())
        for _ in range(80):
            file.write(bytes(2**20))
    program = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (500 * 2**20, 500 * 2**20))
from albertkit.io.archive import unpack
try:
    unpack({str(path)!r}, {str(tmp_path / "out")!r})
except Exception as error:
    print(type(error).__name__)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "CheckpointError\n", done.stderr
