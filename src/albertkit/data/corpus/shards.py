"""Corpus: the tokens of many documents in memory-mapped files, and the writer of those files.

SHARDS/manifest.json            what it was made of, how, and the sha256 of every file
SHARDS/tokenizer/               the tokenizer (read_directory reads it)
SHARDS/00000.tokens.npy         token ids without special tokens, uint16 or uint32 `[tokens]`
SHARDS/00000.sentences.npy      where each sentence starts, in tokens, int64 `[sentences + 1]`; the last = tokens
SHARDS/00000.documents.npy      where each document starts, in sentences, int64 `[documents + 1]`
"""

from __future__ import annotations

import os
import re
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from albertkit.data.corpus.arrays_on_disk import PARTS, ArrayFile
from albertkit.errors import DataError, UsageError
from albertkit.io.file_digests import sha256_of
from albertkit.io.files import WriteError, read_json

FORMAT = 1
"""Version of the folder's layout."""

MANIFEST = "manifest.json"
PROGRESS = "progress.json"
"""What a folder holds instead of a manifest while it is being written."""

_MAPPED = 64  # shards at once: each holds three files open, and 1024 is a common limit
_CHECKED = 1 << 20  # entries of a file looked at in one piece
_LARGEST = 1 << 60  # count in a manifest
_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")  # of a shard: no path out of the folder

Tokens = npt.NDArray[np.uint16] | npt.NDArray[np.uint32]


class Document(NamedTuple):
    """One document of a corpus."""

    tokens: Tokens
    """Token ids without special tokens, a view of the file, uint16 (uint32 for large vocabularies) `[tokens]`."""
    starts: npt.NDArray[np.int64]
    """Where each sentence starts in `tokens`, `[sentences + 1]`; the first is 0, the last the number of tokens."""


class _Shard(NamedTuple):
    tokens: Any  # Tokens; mypy does not see through the union
    sentences: npt.NDArray[np.int64]
    documents: npt.NDArray[np.int64]


class Corpus:
    """A folder of shards, opened; made by `Corpus.open`.

    Only maps and the documents' lengths are kept in memory. It pickles as its folder, for workers of a data loader.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any]) -> None:
        self.folder = folder
        self.manifest = manifest
        self.vocab_size = int(manifest["tokenizer"]["vocab_size"])
        self.max_length = int(manifest["max_length"])
        self.num_documents = int(manifest["documents"])
        self.tokenizer_folder = folder / "tokenizer"
        self._firsts = np.cumsum([0] + [int(record["documents"]) for record in manifest["shards"]])
        self._mapped: dict[int, _Shard] = {}

    @classmethod
    def open(cls, folder: str | os.PathLike[str], *, verify: bool = False) -> Corpus:
        """Map the shards that `albertkit prepare` wrote; sizes, counts and lengths are checked, hashes only on request.

        Args:
            folder: the folder with `manifest.json`.
            verify: read every file and compare its sha256 with the manifest.

        Raises:
            DataError: it is no such folder, not finished, or a file is missing, of another size or changed.
        """
        path = Path(folder)
        manifest = _read_manifest(path)
        try:
            _check_manifest(manifest)
            dtype = token_dtype(manifest["tokenizer"]["vocab_size"])
            for record in manifest["shards"]:
                _check_contents(path, record, _open_shard(path, record, dtype=dtype, verify=verify))
            for total in ("documents", "sentences", "tokens"):
                found = sum(record[total] for record in manifest["shards"])
                if found != manifest[total]:
                    raise _broken(path / MANIFEST, f"{manifest[total]} {total} in all, yet {found} in its shards")
            digest = sha256_of(path / "tokenizer" / "spiece.model")
            if digest != manifest["tokenizer"]["sha256"]:
                raise _broken(
                    path / "tokenizer" / "spiece.model", "not the vocabulary that this text was tokenized with"
                )
            return cls(path, manifest)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise _broken(path / MANIFEST, f"an entry is missing or malformed ({error!r:.200})") from error
        except OSError as error:
            raise _broken(Path(error.filename or path), f"cannot be read ({error.strerror or error})") from error

    def document(self, number: int) -> Document:
        """Return a document by its number, from 0, in the order of the text.

        Raises:
            UsageError: the number is outside the corpus.
            DataError: the document holds an id that its vocabulary does not have.
        """
        if not 0 <= number < self.num_documents:
            raise UsageError(f"document {number} is outside the corpus, whose documents are 0 to {len(self) - 1}")
        row = int(np.searchsorted(self._firsts, number, side="right")) - 1
        shard = self._shard(row)
        first, last = shard.documents[number - self._firsts[row] :][:2].tolist()
        sentences = np.asarray(shard.sentences[first : last + 1])
        start, end = int(sentences[0]), int(sentences[-1])
        tokens = np.asarray(shard.tokens[start:end])
        if len(tokens) and int(tokens.max()) >= self.vocab_size:
            path = self.folder / f"{self.manifest['shards'][row]['name']}.tokens.npy"
            raise _broken(path, f"token id {tokens.max()} is outside the vocabulary of {self.vocab_size:,}")
        return Document(tokens, sentences - start)

    @cached_property
    def document_lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each document, `[documents]`."""
        shards = (self._shard(row) for row in range(len(self._firsts) - 1))
        return np.concatenate([np.diff(shard.sentences[shard.documents]) for shard in shards])

    def __len__(self) -> int:
        """Number of documents."""
        return self.num_documents

    def __reduce__(self) -> tuple[Any, ...]:
        return Corpus.open, (self.folder,)

    def _shard(self, row: int) -> _Shard:
        if row not in self._mapped:
            if len(self._mapped) == _MAPPED:
                del self._mapped[next(iter(self._mapped))]
            dtype = token_dtype(self.vocab_size)
            self._mapped[row] = _open_shard(self.folder, self.manifest["shards"][row], dtype=dtype, verify=False)
        return self._mapped[row]


class ShardWriter:
    """Writes one shard after the other; arrays go to disk as they come, so memory does not grow with a shard.

    Args:
        folder: where the files go.
        vocab_size: pieces of the vocabulary, which decides the type of the ids.
        number: the first shard's number.
    """

    def __init__(self, folder: Path, *, vocab_size: int, number: int = 0) -> None:
        self.folder = folder
        self.number = number
        self.dtype = token_dtype(vocab_size)
        self._begin()

    def add(
        self,
        tokens: Tokens,
        *,
        sentence_lengths: npt.NDArray[np.int64],
        document_lengths: npt.NDArray[np.int64],
    ) -> None:
        """Append sentences, and close the documents that end with them.

        Args:
            tokens: ids of the sentences, one after the other, `[tokens]`.
            sentence_lengths: tokens of each sentence, 1 or more, `[sentences]`.
            document_lengths: sentences of each document that is complete now, 1 or more, `[documents]`.

        Raises:
            WriteError: the system refused.
        """
        assert int(sentence_lengths.sum()) == len(tokens)
        try:
            self._files["tokens"].append(tokens)
            self._files["sentences"].append(self.tokens + np.cumsum(sentence_lengths))
            self._files["documents"].append(self._ended + np.cumsum(document_lengths))
        except OSError as error:
            raise self._refused(error) from error
        self.tokens += len(tokens)
        self.sentences += len(sentence_lengths)
        self.documents += len(document_lengths)
        self._ended += int(document_lengths.sum())

    def finish(self) -> dict[str, Any]:
        """Complete the shard, all of whose documents are closed, and begin the next one.

        Returns:
            Its entry in the manifest.

        Raises:
            WriteError: the system refused.
        """
        assert self._ended == self.sentences, "a shard ends with a document"
        try:
            files = {file.path.name: file.finish() for file in self._files.values()}
        except OSError as error:
            raise self._refused(error) from error
        record = {
            "name": f"{self.number:05d}",
            "documents": self.documents,
            "sentences": self.sentences,
            "tokens": self.tokens,
            "files": files,
        }
        self.number += 1
        self._begin()
        return record

    def close(self) -> None:
        """Drop what is not a finished shard."""
        for file in self._files.values():
            file.discard()

    def _begin(self) -> None:
        self.tokens = self.sentences = self.documents = self._ended = 0
        self._files = {
            part: ArrayFile(self.folder / f"{self.number:05d}.{part}.npy", dtype=dtype)
            for part, dtype in zip(PARTS, (self.dtype, np.dtype("<i8"), np.dtype("<i8")), strict=True)
        }
        for part in ("sentences", "documents"):
            self._files[part].append(np.zeros(1, np.int64))

    def _refused(self, error: OSError) -> WriteError:
        return WriteError(
            f"{error.filename or self.folder}: cannot be written ({error.strerror or error}); the same command "
            "continues from the last finished shard"
        )


def token_dtype(vocab_size: int) -> np.dtype[Any]:
    """Return the type of token ids on disk.

    >>> token_dtype(30000).name, token_dtype(65537).name
    ('uint16', 'uint32')
    """
    return np.dtype("<u2" if vocab_size <= 1 << 16 else "<u4")


def shard_problem(folder: Path, record: dict[str, Any], *, dtype: np.dtype[Any]) -> str | None:
    """Return what is wrong with a finished shard's files, judged by their sizes, or None."""
    for (part, count), each in zip(_counts(record).items(), (dtype, np.dtype("<i8"), np.dtype("<i8")), strict=True):
        path = folder / f"{record['name']}.{part}.npy"
        wanted = ArrayFile.size(count, dtype=each)
        found = path.stat().st_size if path.is_file() else None
        if found != wanted:
            return f"{path.name} is missing" if found is None else f"{path.name} has {found} bytes, not {wanted}"
    return None


def _counts(record: dict[str, Any]) -> dict[str, int]:
    counts = (int(record["tokens"]), int(record["sentences"]) + 1, int(record["documents"]) + 1)
    return dict(zip(PARTS, counts, strict=True))


def _broken(path: Path, problem: str) -> DataError:
    return DataError(f"{path}: {problem}; remove the folder and run albertkit prepare again, or copy it again")


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        if (folder / PROGRESS).is_file():
            raise DataError(f"{folder}: not finished; the same albertkit prepare command again continues with it")
        what = f"holds no {MANIFEST}, so it is not a prepared corpus" if folder.is_dir() else "there is no such folder"
        raise DataError(f"{folder}: {what}; make one with albertkit prepare FILES --model M --out FOLDER")
    try:
        manifest = read_json(path)
    except (OSError, ValueError) as error:
        raise _broken(path, f"cannot be read as JSON ({error})") from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("shards"), list) or not manifest["shards"]:
        raise DataError(
            f"{path}: not a manifest of shards; make one with albertkit prepare FILES --model M --out FOLDER"
        )
    if manifest.get("format") != FORMAT:
        raise DataError(
            f"{path}: format {manifest.get('format')!r}, where this albertkit reads {FORMAT}; prepare the text again"
        )
    return manifest


def check_record(record: dict[str, Any]) -> None:
    """Look at what is recorded of a shard.

    Raises:
        KeyError, TypeError, AttributeError, ValueError: a value is missing or cannot be.
    """
    for name in ("documents", "sentences", "tokens"):
        _check_count(record[name])
    if not _NAME.fullmatch(record["name"]):
        raise ValueError(f"{record['name']!r:.80} is not a shard name")


def _check_manifest(manifest: dict[str, Any]) -> None:
    for record in manifest["shards"]:
        check_record(record)
    vocab_size, max_length = manifest["tokenizer"]["vocab_size"], manifest["max_length"]
    for count in (vocab_size, max_length):
        _check_count(count)
    if vocab_size > 1 << 32:
        raise ValueError(f"{vocab_size} pieces do not fit into ids of 32 bits")


def _check_count(count: Any) -> None:
    if not isinstance(count, int) or isinstance(count, bool) or not 0 < count <= _LARGEST:
        raise ValueError(f"{count!r:.80} is not a count")


def _open_shard(folder: Path, record: dict[str, Any], *, dtype: np.dtype[Any], verify: bool) -> _Shard:
    arrays: list[npt.NDArray[Any]] = []
    for (part, count), each in zip(_counts(record).items(), (dtype, np.dtype("<i8"), np.dtype("<i8")), strict=True):
        path = folder / f"{record['name']}.{part}.npy"
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except OSError:
            raise
        except Exception as error:  # NumPy parses the head as Python, and fails on damaged bytes with many errors
            raise _broken(path, f"damaged ({(str(error).splitlines() or [type(error).__name__])[0]:.200})") from error
        if array.dtype != each or array.shape != (count,):
            raise _broken(path, f"{array.dtype} {list(array.shape)}, where the manifest has {each} [{count}]")
        if part != "tokens" and (int(array[0]), int(array[-1])) != (0, len(arrays[-1]) - (part == "documents")):
            raise _broken(path, f"runs from {array[0]} to {array[-1]}, not over all that it divides")
        if verify and sha256_of(path) != record["files"][path.name]:
            raise _broken(path, "its content has changed since it was written (sha256)")
        arrays.append(array)
    return _Shard(*arrays)


def _check_contents(folder: Path, record: dict[str, Any], shard: _Shard) -> None:
    """Check that sentences and documents have lengths above 0; each starts where the one before ends."""
    for part, starts in (("sentences", shard.sentences), ("documents", shard.documents)):
        for first in range(0, len(starts) - 1, _CHECKED):
            piece = np.asarray(starts[first : first + _CHECKED + 1])
            falls = piece[1:] <= piece[:-1]
            if falls.any():
                row = first + int(falls.argmax())
                raise _broken(
                    folder / f"{record['name']}.{part}.npy",
                    f"entry {row} is {starts[row]} and the next one {starts[row + 1]}, where they must rise",
                )
