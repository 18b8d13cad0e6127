"""The list of known models: the paper's numbers, equal to what torch counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from albertkit.config import PUBLISHED
from albertkit.errors import UsageError
from albertkit.hub.known_models import MODEL_DOWNLOADS, cached_model_folder, known_models, model_cache


# Hugging Face's published models, encoder and pooler
@pytest.mark.parametrize(
    ("size", "parameters"), [("base", 11683584), ("large", 17683968), ("xlarge", 58724864), ("xxlarge", 222595584)]
)
def test_published_counts(size: str, parameters: int) -> None:
    for version in ("v1", "v2"):
        (row,) = (row for row in known_models() if row["name"] == f"albert-{size}-{version}")
        assert row["parameters"] == parameters
        assert (row["version"], row["size"], row["cached"]) == (version, size, False)


def test_a_row_holds_the_contract_s_keys() -> None:
    keys = ["name", "version", "size", "parameters", "layers", "hidden_size", "heads", "licence", "source", "cached"]
    assert all(list(row) == keys for row in known_models())
    assert [row["name"] for row in known_models()] == list(PUBLISHED)
    assert [row["name"] for row in known_models() if row["cached"]] == ["albert-nano"]


def test_every_model_but_the_shipped_one_has_a_source() -> None:
    assert list(MODEL_DOWNLOADS) == [name for name in PUBLISHED if name != "albert-nano"]
    for name, model in MODEL_DOWNLOADS.items():
        _, size, version = name.split("-")
        chinese = version == "zh"
        assert model.repository == (f"voidful/albert_chinese_{size}" if chinese else f"albert/{name}")
        assert model.archive == f"https://storage.googleapis.com/albert_models/albert_{size}_{version}.tar.gz"
        assert model.licence == "Apache-2.0"
        needed = [file.names for file in model.files if file.needed]
        assert needed == [
            ("config.json",),
            ("vocab.txt",) if chinese else ("spiece.model",),
            ("model.safetensors", "pytorch_model.bin"),
        ]


# fp32 weights with the head for masked pieces (11.81 and 223.2 million parameters), the vocabulary in both forms
@pytest.mark.parametrize(("name", "megabytes"), [("albert-base-v2", 49), ("albert-xxlarge-v1", 895)])
def test_sizes_of_downloads(name: str, megabytes: int) -> None:
    assert round(MODEL_DOWNLOADS[name].size / 1e6) == megabytes


def test_cached_is_true_once_the_files_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALBERTKIT_CACHE", str(tmp_path))
    folder = model_cache("albert-large-zh", "hub")
    folder.mkdir(parents=True)
    for name in ("config.json", "vocab.txt", "model.safetensors"):
        assert cached_model_folder("albert-large-zh") is None
        (folder / name).write_bytes(b"x")
    assert [row["name"] for row in known_models() if row["cached"]] == ["albert-nano", "albert-large-zh"]
    monkeypatch.setenv("ALBERTKIT_CACHE", str(folder / "config.json"))  # no folder can be made there
    assert [row["name"] for row in known_models() if row["cached"]] == ["albert-nano"]
    with pytest.raises(UsageError, match="unknown model"):
        cached_model_folder("albert-huge")
