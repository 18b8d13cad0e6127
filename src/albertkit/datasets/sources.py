"""URLs of known data sets, and their paths in the cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from albertkit.errors import DataError, UsageError, did_you_mean
from albertkit.io.files import WriteError, cache_folder
from albertkit.io.manifest import FileRecord, read_manifest
from albertkit.io.progress import Progress, Silent

if TYPE_CHECKING:
    from albertkit.hub.consent import Consent

_GLUE = "https://dl.fbaipublicfiles.com/glue/data"
_SENTEVAL = "https://dl.fbaipublicfiles.com/senteval/senteval_data"
_OWN_TERMS = "its authors' own terms, see the website"


@dataclass(frozen=True)
class DatasetDownload:
    """One data set's files and whose they are."""

    website: str
    author: str
    licence: str
    files: Mapping[str, FileRecord]
    """Name in the cache -> the file, whose content was published."""


def _glue(file: str, size: int, sha256: str, website: str, author: str, licence: str = _OWN_TERMS) -> DatasetDownload:
    return DatasetDownload(website, author, licence, {file: FileRecord(f"{_GLUE}/{file}", size, sha256)})


# Sizes and hashes: IMDB's as in tensorflow/datasets, tensorflow_datasets/datasets/imdb_reviews/checksums.tsv; GLUE's as
# in huggingface/datasets, datasets/glue/dataset_infos.json (tensorflow_datasets/url_checksums/glue.txt agrees, but for
# QQP, of which it lists an older file).
DATASET_DOWNLOADS: Mapping[str, DatasetDownload] = {
    "imdb": DatasetDownload(
        "https://ai.stanford.edu/~amaas/data/sentiment/",
        "Andrew L. Maas and others, Stanford University (ACL 2011)",
        "none is stated; the authors ask to be cited",
        {
            "aclImdb_v1.tar.gz": FileRecord(
                "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz", 84_125_825,
                "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe",
            ),
        },
    ),
    "glue/cola": _glue(
        "CoLA.zip", 376_971, "f212fcd832b8f7b435fb991f101abf89f96b933ab400603bf198960dfc32cbff",
        "https://nyu-mll.github.io/CoLA/", "Alex Warstadt, Amanpreet Singh, Samuel R. Bowman",
    ),
    "glue/sst2": _glue(
        "SST-2.zip", 7_439_277, "d67e16fb55739c1b32cdce9877596db1c127dc322d93c082281f64057c16deaa",
        "https://nlp.stanford.edu/sentiment/index.html", "Richard Socher and others, Stanford University",
    ),
    "glue/mrpc": DatasetDownload(
        "https://www.microsoft.com/en-us/download/details.aspx?id=52398",
        "William B. Dolan, Chris Brockett, Microsoft Research",
        _OWN_TERMS,
        {
            "msr_paraphrase_train.txt": FileRecord(
                f"{_SENTEVAL}/msr_paraphrase_train.txt", 1_047_044,
                "60a9b09084528f0673eedee2b69cb941920f0b8cd0eeccefc464a98768457f89",
            ),
            "msr_paraphrase_test.txt": FileRecord(
                f"{_SENTEVAL}/msr_paraphrase_test.txt", 441_275,
                "a04e271090879aaba6423d65b94950c089298587d9c084bf9cd7439bd785f784",
            ),
            "mrpc_dev_ids.tsv": FileRecord(
                f"{_GLUE}/mrpc_dev_ids.tsv", 6_222,
                "971d7767d81b997fd9060ade0ec23c4fc31cbb226a55d1bd4a1bac474eb81dc7",
            ),
        },
    ),
    "glue/qqp": _glue(
        "QQP-clean.zip", 41_696_084, "40e7c862c04eb26ee04b67fd900e76c45c6ba8e6d8fab4f8f1f8072a1a3fbae0",
        "https://data.quora.com/First-Quora-Dataset-Release-Question-Pairs", "Quora",
    ),
    "glue/stsb": _glue(
        "STS-B.zip", 802_872, "e60a6393de5a8b5b9bac5020a1554b54e3691f9d600b775bd131e613ac179c85",
        "http://ixa2.si.ehu.es/stswiki/index.php/STSbenchmark", "Daniel Cer and others (SemEval-2017)",
    ),
    "glue/mnli": _glue(
        "MNLI.zip", 312_783_507, "e7c1d896d26ed6caf700110645df426cc2d8ebf02a5ab743d5a5c68ac1c83633",
        "http://www.nyu.edu/projects/bowman/multinli/", "Adina Williams, Nikita Nangia, Samuel R. Bowman",
    ),
    "glue/qnli": _glue(
        "QNLIv2.zip", 10_627_589, "e634e78627a29adaecd4f955359b22bf5e70f2cbd93b493f2d624138a0c0e5f5",
        "https://rajpurkar.github.io/SQuAD-explorer/", "Pranav Rajpurkar and others; Alex Wang and others",
        "CC BY-SA 4.0, as SQuAD",
    ),
    "glue/rte": _glue(
        "RTE.zip", 697_150, "6bf86de103ecd335f3441bd43574d23fef87ecc695977a63b82d5efb206556ee",
        "https://aclweb.org/aclwiki/Recognizing_Textual_Entailment", "the organizers of PASCAL RTE 1, 2, 3 and 5",
    ),
    "glue/wnli": _glue(
        "WNLI.zip", 28_999, "ae0e8e4d16f4d46d4a0a566ec7ecceccfd3fbfaa4a7a4b4e02848c0f2561ac46",
        "https://cs.nyu.edu/faculty/davise/papers/WinogradSchemas/WS.html", "Hector Levesque and others",
    ),
}  # fmt: skip
"""Name of a data set -> where it comes from."""


def dataset_cache(name: str) -> Path:
    """Return the folder of the cache for a data set; it need not exist.

    Raises:
        WriteError: there is no place for the cache.
    """
    return cache_folder("datasets") / name.replace("/", "-")


def cached_dataset(name: str) -> Path | None:
    """Return the cached folder of a data set, as `data_dir` takes it, or None if it is not cached."""
    if name not in DATASET_DOWNLOADS:
        return None
    try:
        folder = dataset_cache(name)
    except WriteError:  # where no cache can be, nothing is cached; a download says more
        return None
    manifest = read_manifest(folder)
    if manifest is None:
        return None
    return folder / next(iter(manifest.files)) if len(manifest.files) == 1 else folder


def fetch_dataset(
    name: str, *, consent: Consent | None = None, offline: bool | None = None, progress: Progress | None = None
) -> Path:
    """Return a data set's archive or folder in the cache, downloading it where it is not there yet.

    Args:
        name: a key of `DATASET_DOWNLOADS`.
        consent: asked before anything is sent; as ALBERTKIT_YES says, or by a question, if None.
        offline: forbid all downloads; as ALBERTKIT_OFFLINE and HF_HUB_OFFLINE say if None.
        progress: gets the progress reports.

    Raises:
        UsageError: no source is known for it.
        DownloadError: not allowed, not reachable, or not what was published.
        WriteError: the disk is full or refuses.
    """
    # Here, since most data are in the cache or elsewhere, and these libraries take a tenth of a second to import.
    from albertkit.hub.consent import Offer, consent_by
    from albertkit.hub.download import fetch_once, fetch_pinned, mirrored

    if name not in DATASET_DOWNLOADS:
        raise UsageError(
            f'no address is known for the data set "{name}"{did_you_mean(name, DATASET_DOWNLOADS)} '
            f"(known: {', '.join(sorted(DATASET_DOWNLOADS))})"
        )
    progress = progress or Silent()
    source, folder = DATASET_DOWNLOADS[name], dataset_cache(name)
    urls = [mirrored(file.url) for file in source.files.values()]
    finish = _write_mrpc if name == "glue/mrpc" else None
    return fetch_once(
        Offer(
            name, "data set", source.website, source.author, source.licence,
            sum(file.size for file in source.files.values()), ", ".join(urls), folder,
        ),
        there=lambda: cached_dataset(name),
        fetch=lambda: fetch_pinned(name, source.files, folder, progress=progress, finish=finish),
        by_hand=f"fetch {', '.join(urls)} elsewhere and give the copy with --data-dir",
        consent=consent or consent_by(yes=False),
        offline=offline,
        progress=progress,
    )  # fmt: skip


def _write_mrpc(folder: Path, files: Mapping[str, Path]) -> None:
    """Divide Microsoft's two files into GLUE's three, as the benchmark's download_glue_data.py does (format_mrpc)."""
    rows = {}
    for name, path in files.items():
        lines = path.read_text(encoding="utf-8-sig").split("\n")
        rows[name] = [line.strip().split("\t") for line in lines if line.strip()]
    dev = {tuple(row) for row in rows["mrpc_dev_ids.tsv"]}
    head, *train = rows["msr_paraphrase_train.txt"]
    test_head, *test = rows["msr_paraphrase_test.txt"]
    for row in (head, *train, test_head, *test):
        if len(row) != 5:
            raise DataError(
                f"glue/mrpc: a row of the published files has {len(row)} columns instead of 5; fetch it again"
            )
    tables = {
        "train.tsv": [head, *(row for row in train if (row[1], row[2]) not in dev)],
        "dev.tsv": [head, *(row for row in train if (row[1], row[2]) in dev)],
        "test.tsv": [["index", *test_head[1:]], *([str(index), *row[1:]] for index, row in enumerate(test))],
    }
    (folder / "MRPC").mkdir()
    for name, table in tables.items():
        text = "".join("\t".join(row) + "\n" for row in table)
        (folder / "MRPC" / name).write_bytes(text.encode())
