"""The site is whole without building it: every page is in the navigation, pictures and reference are current.

`make docs` builds it with every warning an error, links and anchors included.
"""

from __future__ import annotations

import importlib.util
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from tests.test_layers import MAY_IMPORT, floor_of

import albertkit
from albertkit.checkpoints.shapes import parameter_counts
from albertkit.config import published_config
from albertkit.training.settings import FinetuneSettings

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
CONFIG = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


def script(name: str) -> ModuleType:
    """One of the programs next to the pages."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def leaves(entry: Any) -> Iterator[str]:
    """The files that a part of the navigation names."""
    if isinstance(entry, str):
        yield entry
    else:
        for part in entry.values() if isinstance(entry, dict) else entry:
            yield from leaves(part)


def test_the_navigation_names_every_page_once() -> None:
    named = list(leaves(CONFIG["nav"]))
    pages = [page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")]
    assert sorted(named) == sorted(pages), "mkdocs.yml: nav and docs/ differ"


def test_the_other_files_that_it_names_are_there() -> None:
    for name in CONFIG["hooks"]:
        assert (ROOT / name).is_file()
    for name in CONFIG["extra_css"]:
        assert (DOCS / name).is_file()
    python = next(entry for entry in CONFIG["plugins"] if isinstance(entry, dict))["mkdocstrings"]["handlers"]["python"]
    assert all((ROOT / name).is_dir() for name in python["paths"])
    assert all((ROOT / name).is_file() for name in python["options"]["extensions"])


def test_nothing_is_asked_of_another_host() -> None:
    """Letters and scripts come from the site; diagrams and mathematics, which the theme would fetch, are not used."""
    assert CONFIG["theme"]["font"] is False
    assert not {"extra_javascript", "repo_url"} & set(CONFIG)
    assert not any("://" in name for name in CONFIG["extra_css"])
    for page in DOCS.rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        assert "```mermaid" not in text, page
        assert not re.search(r"!\[[^]]*\]\(https?://|<(?:img|script|iframe|link)\b", text), page


def test_every_public_name_is_in_the_reference() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.md"))
    blocks = re.findall(r"^::: (\S+)((?:\n {4}.*)*)", text, re.MULTILINE)
    named = {name for name, _ in blocks}
    missing = [name for name in albertkit.__all__ if f"albertkit.{name}" not in named and name not in text]
    assert not missing, f"docs/reference lacks {missing}"
    for name, options in blocks:
        assert _find(name) is not None, name
        for member in re.findall(r"\w+", (re.search(r"members: \[(.*)\]", options) or [""])[0].removeprefix("members")):
            assert hasattr(_find(name), member), f"{name}.{member}"


def _find(name: str) -> object:
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            found = getattr(found, part)
        return found
    return None


def test_pictures_are_current_and_for_all() -> None:
    draw = script("draw")
    assert {path.stem for path in draw.FOLDER.glob("*.svg")} == set(draw.PICTURES)
    used = "\n".join(page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md"))
    for name in draw.PICTURES:
        text = (draw.FOLDER / f"{name}.svg").read_text(encoding="utf-8")
        assert text == draw.picture(name), "run make docs"
        root = ElementTree.fromstring(text)
        for shape in root.iter("{http://www.w3.org/2000/svg}rect"):
            assert float(shape.get("x", 0)) + float(shape.get("width", 0)) <= draw.WIDTH, name
        assert re.search(rf"!\[[^]]{{30,}}\]\(pictures/{name}\.svg\)", used), f"{name} has no words that replace it"


def test_the_picture_of_the_house_shows_the_floors_of_the_imports() -> None:
    floors: dict[str, int] = {room: floor_of(room) for room in MAY_IMPORT}
    floors["cli"] = max(floors.values()) + 1  # it may import anything
    drawn = {room: number for number, rooms in enumerate(reversed(script("draw").FLOORS), 1) for room in rooms}
    assert drawn == floors


def test_the_figures_of_the_pictures_are_the_network_s() -> None:
    draw, base = script("draw"), published_config("albert-base-v2")
    assert (base.vocab_size, base.hidden_size, base.embedding_size, base.num_hidden_layers) == (
        draw.VOCABULARY, draw.HIDDEN, draw.EMBEDDING, draw.LAYERS,
    )  # fmt: skip
    table = draw.VOCABULARY * draw.EMBEDDING + 514 * draw.EMBEDDING + 2 * draw.EMBEDDING
    projection = draw.EMBEDDING * draw.HIDDEN + draw.HIDDEN
    pooler = draw.HIDDEN * draw.HIDDEN + draw.HIDDEN
    assert parameter_counts(base)["total"] == table + projection + draw.LAYER_PARAMETERS + pooler == 11_683_584
    texts = [example.text for example in list(albertkit.load_dataset("polarity", split="train"))[:8]]
    lengths = albertkit.load_tokenizer("albert-nano")(texts).lengths.tolist()
    assert tuple(lengths) == draw.LENGTHS


def test_what_the_page_says_of_padding_is_so() -> None:
    texts = [example.text for example in albertkit.load_dataset("polarity", split="train")]
    lengths = albertkit.load_tokenizer("albert-nano")(texts).lengths
    rows = lengths[: len(lengths) // 32 * 32].reshape(-1, 32)
    share = 1 - rows.sum() / (rows.max(axis=1) * 32).sum()
    page = " ".join((DOCS / "how_albert_works.md").read_text(encoding="utf-8").split())
    assert f"batches of 32 in the order of the file, padding fills {share:.0%}".replace("%", " %") in page


def test_blocks_of_the_guide_get_the_name_of_their_file_as_title() -> None:
    pages = script("pages")
    assert pages.on_page_markdown("```csv a/b.csv\nx\n```\n```sh\n```") == '```text title="a/b.csv"\nx\n```\n```sh\n```'
    known = {"text", "json", "js", "python", "sh", "py", "julia", "yaml"}
    for page in DOCS.rglob("*.md"):
        text = pages.on_page_markdown(page.read_text(encoding="utf-8"))
        languages = {kind for kind in re.findall(r"^```(\S*)", text, re.MULTILINE) if kind}
        assert languages <= known, (page, languages - known)


def test_pictures_go_into_the_page_with_their_words() -> None:
    html = script("pages").on_page_content('<p><img alt="A &lt; B" src="pictures/order.svg" /></p><img src="x.png">')
    assert html.startswith('<p><svg role="img" aria-label="A &lt; B" xmlns=')
    assert html.endswith('</svg>\n</p><img src="x.png">')


def test_doctests_become_blocks() -> None:
    pytest.importorskip("griffe")
    fenced = script("doctests").fenced
    assert fenced("A.\n\n    >>> f(1)\n    [2, 1]\n\nArgs:\n    x: b.") == (
        "A.\n\n    ```pycon\n    >>> f(1)\n    [2, 1]\n    ```\n\nArgs:\n    x: b."
    )
    assert fenced(">>> f(1)") == "```pycon\n>>> f(1)\n```"
    assert fenced("No code.") == "No code."


def test_the_table_of_options_names_options() -> None:
    from albertkit.cli import COMMANDS

    options = {option for parameter in COMMANDS["finetune"].params for option in parameter.opts}
    named = set(re.findall(r"`(--[a-z-]+)", (DOCS / "moving.md").read_text(encoding="utf-8")))
    assert named <= options, named - options
    assert {"validation", "max_length", "batch_size", "learning_rate"} <= set(FinetuneSettings.__dataclass_fields__)
