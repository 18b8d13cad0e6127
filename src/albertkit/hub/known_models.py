"""Where models come from: the known ones of `albertkit models`, and any on the hub; their folders in the cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from albertkit.checkpoints.shapes import parameter_counts
from albertkit.config import PUBLISHED, published_config
from albertkit.hub.hub_names import hub_name
from albertkit.io.files import WriteError, cache_folder
from albertkit.io.manifest import read_manifest

SHIPPED_MODEL = "albert-nano"
"""The model whose weights come with albertkit."""

MODEL_SOURCES = ("hub", "google")
"""Where models can be downloaded: the Hugging Face hub, and the archives of google-research/albert."""

# The official SentencePiece model, which all English models share; the hash is the one that the hub gives for
# albert/albert-base-v2's spiece.model, and MediaPipe's third_party/external_files.bzl for 30k-clean.model.
SPIECE_SHA256 = "fefb02b667a6c5c2fe27602d28e5fb3428f66ab89c7d6f388e7c8d44a02d0336"

_ARCHIVES = "https://storage.googleapis.com/albert_models"


@dataclass(frozen=True)
class WantedFile:
    """One file of a model on the hub."""

    names: tuple[str, ...]
    """Names that it may have, the best first; the first that the server has is taken."""
    needed: bool = True
    """Whether the model cannot do without it."""
    sha256: str | None = None
    """Its published SHA-256, the same for all models."""


_CONFIG = WantedFile(("config.json",))
_WEIGHTS = WantedFile(("model.safetensors", "pytorch_model.bin"))
_ENGLISH = (
    _CONFIG,
    WantedFile(("spiece.model",), sha256=SPIECE_SHA256),
    WantedFile(("tokenizer.json",), needed=False),
    _WEIGHTS,
)
_CHINESE = (_CONFIG, WantedFile(("vocab.txt",)), WantedFile(("tokenizer_config.json",), needed=False), _WEIGHTS)

MODEL_FILES = (
    "config.json",
    "task.json",
    "spiece.model",
    "vocab.txt",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "1_Pooling/config.json",
    "2_Dense/config.json",
    "2_Dense/model.safetensors",
    "README.md",
    "head.safetensors",
    "model.safetensors",
)
"""Every file of a model folder, which is what is fetched from a hub and what goes there. None is ever unpickled."""
_NEEDED = ("config.json", "model.safetensors")
_ANY = tuple(WantedFile((name,), needed=name in _NEEDED) for name in MODEL_FILES)


@dataclass(frozen=True)
class ModelSource:
    """Where a known model comes from."""

    author: str
    licence: str
    website: str
    repository: str
    """On the hub."""
    files: tuple[WantedFile, ...]
    """On the hub, the largest last."""
    archive: str | None
    """Address of Google's archive (README.md of google-research/albert): a TF1 checkpoint with its vocabulary."""
    size: int | None
    """Of the download, in bytes, about: weights in fp32 with the head for masked pieces, and the vocabulary. None: only
    the server knows it, and nothing is asked before consent."""
    revision: str = "main"
    """On the hub."""


def _model_sources() -> dict[str, ModelSource]:
    sources = {}
    for name, config in PUBLISHED.items():
        if name == SHIPPED_MODEL:
            continue
        _, size, version = name.split("-")
        parameters = parameter_counts(config, heads=("mlm",))["total"]
        chinese = version == "zh"
        sources[name] = ModelSource(
            author="Google Research" + (" with the CLUE team; on the hub by voidful" if chinese else ""),
            licence="Apache-2.0",
            website="https://github.com/google-research/albert",
            repository=f"voidful/albert_chinese_{size}" if chinese else f"albert/{name}",
            files=_CHINESE if chinese else _ENGLISH,
            archive=f"{_ARCHIVES}/albert_{size}_{version}.tar.gz",
            size=4 * parameters + (110_000 if chinese else 2_100_000),
        )
    return sources


def model_cache(name: str, source: str) -> Path:
    """Return the folder of the cache for a model from a source; it need not exist.

    Raises:
        WriteError: there is no place for the cache.
    """
    found = hub_name(name)
    return cache_folder("models") / (Path(name, source) if found is None else found.folder)


def model_source_of(name: str) -> ModelSource:
    """Return where a model comes from.

    Args:
        name: a known model that is not shipped, or ORG/NAME[@REVISION].

    Raises:
        UsageError: the name is neither.
    """
    found = None if name in MODEL_DOWNLOADS else hub_name(name)
    if found is None:
        published_config(name)
        return MODEL_DOWNLOADS[name]
    author, _, _ = found.repository.partition("/")
    return ModelSource(
        author=author,
        licence="see its model card",
        website=f"https://huggingface.co/{found.repository}",
        repository=found.repository,
        files=_ANY,
        archive=None,
        size=None,
        revision=found.revision,
    )


def cached_model_folder(name: str, *, source: str | None = None) -> Path | None:
    """Return the folder with the files of a known model on this machine, or None if there is none.

    A folder counts if its manifest exists and every file has the recorded size. Without a manifest it counts if it
    holds all files that are needed, so that users can copy them there by hand.

    Args:
        name: a known model, or ORG/NAME[@REVISION].
        source: one of `MODEL_SOURCES`; any, in that order, if None.

    Raises:
        UsageError: the name is unknown.
    """
    if name not in PUBLISHED:
        model_source_of(name)
    if name == SHIPPED_MODEL:
        return Path(str(resources.files("albertkit") / "assets" / SHIPPED_MODEL))
    for choice in MODEL_SOURCES if source is None else (source,):
        try:
            folder = model_cache(name, choice)
        except WriteError:  # where no cache can be, nothing is cached; a download says more
            return None
        if read_manifest(folder) is not None or (choice == "hub" and _put_by_hand(name, folder)):
            return folder
    return None


def _put_by_hand(name: str, folder: Path) -> bool:
    if (folder / "manifest.json").exists():
        return False  # a download whose files have changed since
    needed = [file.names for file in model_source_of(name).files if file.needed]
    return all(any((folder / each).is_file() for each in names) for names in needed)


MODEL_DOWNLOADS: Mapping[str, ModelSource] = _model_sources()
"""Known name -> where it comes from; all but the shipped model."""


def known_models() -> list[dict[str, Any]]:
    """Return one row per model: name, version, size, parameters, shape, licence, source, and if weights are cached."""
    rows = []
    for name, config in PUBLISHED.items():
        _, size, *version = name.split("-")
        chinese = version == ["zh"]
        rows.append(
            {
                "name": name,
                "version": version[0] if version else "nano",
                "size": size,
                "parameters": parameter_counts(config)["total"],
                "layers": config.num_hidden_layers,
                "hidden_size": config.hidden_size,
                "heads": config.num_attention_heads,
                "licence": "Apache-2.0",
                "source": "albertkit" if not version else "google-research/albert" + (" (Chinese)" if chinese else ""),
                "cached": cached_model_folder(name) is not None,
            }
        )
    return rows
