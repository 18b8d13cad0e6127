"""Large Movie Review Dataset v1.0 (aclImdb, Maas et al., 2011), from its folder or straight from an archive of it.

50,000 small files in an archive are read once, in one pass, and kept as two packed files in the cache. The order of
the reviews is that of the SHA-256 of their names: fixed, and with both labels mixed, so that any beginning of a split
is a fair sample.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from albertkit.data.examples import TextExample
from albertkit.datasets.archive import ARCHIVES, is_archive, read_members
from albertkit.datasets.dataset import Dataset, DataSource, hash_order
from albertkit.datasets.rows import BadRows, decode_text
from albertkit.errors import DataError, UsageError
from albertkit.io.files import atomic_file, cache_folder

LABELS = ("neg", "pos")
_SPLITS = ("train", "test")
_METRICS = ("accuracy",)
_REVIEW = re.compile(r"(?:.*/)?((?:train|test)/(?:neg|pos)/[0-9]+_[0-9]+)\.txt")
_MAX_REVIEW_BYTES = 2**20
_CACHE_FORMAT = 1

Review = tuple[str, str]
"""(name such as "test/pos/7_9", text)."""


def open_imdb(name: str, *, data_dir: Path | None = None, skip_bad_rows: bool = False) -> DataSource:
    """Open the reviews; train/unsup is not read.

    Args:
        name: the data set's name, "imdb".
        data_dir: the folder aclImdb, one that holds it, or an archive of it.
        skip_bad_rows: count reviews that are not UTF-8 and go on, instead of an error.

    Raises:
        UsageError: `data_dir` is None.
        DataError: `data_dir` is neither such a folder nor an archive.
    """
    if data_dir is None:
        raise UsageError(
            f"{name} does not come with albertkit: give --data-dir with the folder aclImdb "
            f"(aclImdb/train/pos/*.txt, ...) or an archive of it, or fetch it with albertkit download {name}"
        )
    if is_archive(data_dir) and data_dir.is_file():
        load = partial(_load_archive, name, data_dir, skip_bad_rows)
        return DataSource(name, "classification", LABELS, _METRICS, _SPLITS, load)
    if not data_dir.is_dir():
        state = "is neither a folder nor an archive" if data_dir.exists() else "does not exist"
        raise DataError(f"{data_dir} {state}; give the folder aclImdb or an archive of it ({', '.join(ARCHIVES)})")
    root = next((path for path in _places(data_dir) if any((path / split).is_dir() for split in _SPLITS)), data_dir)
    splits = tuple(split for split in _SPLITS if all((root / split / label).is_dir() for label in LABELS))
    if not splits:
        raise DataError(
            f"{name}: no folder aclImdb/train/neg and aclImdb/train/pos under {data_dir}; "
            "give the folder aclImdb or the one that holds it"
        )
    load = partial(_load_folder, name, root, skip_bad_rows)
    hint = f" (the folders {root}/SPLIT/neg and {root}/SPLIT/pos would be it)"
    return DataSource(name, "classification", LABELS, _METRICS, splits, load, hint=hint)


def _places(data_dir: Path) -> list[Path]:
    return [data_dir, data_dir / "aclImdb", *sorted(data_dir.glob("*/aclImdb"))]


def _load_folder(name: str, root: Path, skip_bad_rows: bool, split: str) -> Dataset:
    bad = BadRows(f"{root / split}", skip=skip_bad_rows)
    files = [path for label in LABELS for path in (root / split / label).glob("*.txt")]
    contents = ((path.relative_to(root).as_posix(), path.read_bytes()) for path in sorted(files))
    reviews = _decode(contents, bad)
    return _dataset(name, split, reviews, where=str(root / split), skipped=bad.close())


def _load_archive(name: str, archive: Path, skip_bad_rows: bool, split: str) -> Dataset:
    kept = _read_cache(_cache_files(archive)[split])
    if kept is not None:
        return _dataset(name, split, kept, where=str(archive), skipped=())

    def wanted(member: PurePosixPath) -> bool:
        return _REVIEW.fullmatch(str(member)) is not None

    bad = BadRows(str(archive), skip=skip_bad_rows)
    members = read_members(archive, wanted=wanted, max_bytes=_MAX_REVIEW_BYTES)
    reviews = _decode(((str(member), content) for member, content in members), bad)
    skipped = bad.close()
    parts = {part: [review for review in reviews if review[0].startswith(part)] for part in _SPLITS}
    if not skipped:  # every read must report bad reviews again, so these are never cached
        _write_cache(archive, parts)
    return _dataset(name, split, parts[split], where=str(archive), skipped=skipped)


def _decode(contents: Iterable[tuple[str, bytes]], bad: BadRows) -> list[Review]:
    reviews = []
    for path, content in contents:
        match = _REVIEW.fullmatch(path)
        try:
            if match is None:
                raise DataError(f"{path}: a review's file is named NUMBER_RATING.txt; move this file elsewhere")
            reviews.append((match.group(1), decode_text(content, where=path)))
        except DataError as error:
            bad.add(path, str(error).removeprefix(f"{path}: ").removeprefix(f"{path}, "))
    return reviews


def _dataset(name: str, split: str, reviews: Sequence[Review], *, where: str, skipped: tuple[str, ...]) -> Dataset:
    if not reviews:
        raise DataError(f"{name}: {where} holds no file {split}/pos/NUMBER_RATING.txt; is it the official layout?")
    ordered = hash_order(reviews, key=lambda review: review[0])
    examples = [TextExample(text, label=LABELS.index(key.split("/")[1]), id=key) for key, text in ordered]
    return Dataset(name, split, "classification", LABELS, _METRICS, examples, skipped)


def _cache_files(archive: Path) -> dict[str, Path]:
    """Split -> file of the cache; the name changes with the archive's path, size and time of change."""
    path = archive.resolve()
    status = path.stat()
    of_path = hashlib.sha256(str(path).encode()).hexdigest()[:12]
    of_state = hashlib.sha256(f"{status.st_size} {status.st_mtime_ns}".encode()).hexdigest()[:12]
    folder = cache_folder("datasets")
    return {split: folder / f"imdb-{of_path}-{of_state}-{split}.jsonl.gz" for split in _SPLITS}


def _write_cache(archive: Path, parts: dict[str, list[Review]]) -> None:
    for split, target in _cache_files(archive).items():
        with atomic_file(target) as temporary, gzip.open(temporary, "wt", compresslevel=1, encoding="utf-8") as cache:
            print(json.dumps({"format": _CACHE_FORMAT, "rows": len(parts[split])}), file=cache)
            cache.writelines(json.dumps(review, ensure_ascii=False) + "\n" for review in parts[split])
        of_path = target.name.split("-")[1]
        for other in target.parent.glob(f"imdb-{of_path}-*-{split}.jsonl.gz"):
            if other != target:  # of an earlier state of the same archive
                other.unlink(missing_ok=True)


def _read_cache(path: Path) -> list[Review] | None:
    """Return what the cache holds, or None where it holds nothing whole: then the archive is read again."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as cache:
            head = json.loads(next(cache, ""))
            reviews = [(str(key), str(text)) for key, text in map(json.loads, cache)]
    except (OSError, EOFError, ValueError, zlib.error):
        return None
    return reviews if head == {"format": _CACHE_FORMAT, "rows": len(reviews)} else None
