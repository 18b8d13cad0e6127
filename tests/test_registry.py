"""Registry: resolved on first use, open to entry points, our own names first."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from albertkit import registry as module
from albertkit.errors import UsageError
from albertkit.registry import Registry

TABLE = {"join": "os.path:join", "absent": "no.such.module:name"}


def fruit() -> Registry:
    return Registry("fruit", group="albertkit.fruits", table=TABLE)


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    scans: list[str] = []

    def entry_points(*, group: str) -> list[EntryPoint]:
        scans.append(group)
        return [EntryPoint("pear", "os.path:basename", group), EntryPoint("join", "os.path:dirname", group)]

    monkeypatch.setattr(module, "entry_points", entry_points)
    return scans


def test_our_own_names_cost_no_scan(plugins: list[str]) -> None:
    names = fruit()
    assert names["join"]("a", "b").endswith("b")
    assert "join" in names
    assert next(iter(names)) == "join"
    assert plugins == []


def test_an_entry_point_adds_a_name_and_cannot_replace_ours(plugins: list[str]) -> None:
    names = fruit()
    assert names["pear"]("a/b") == "b"
    assert list(names) == ["join", "absent", "pear"]
    assert len(names) == 3
    assert names["join"] is sys.modules["os.path"].join
    assert plugins == ["albertkit.fruits"]  # once


def test_nothing_is_imported_before_it_is_asked_for() -> None:
    names = fruit()
    assert "absent" in names
    with pytest.raises(ModuleNotFoundError):
        names["absent"]


def test_an_unknown_name_gets_the_nearest_and_the_list(plugins: list[str]) -> None:
    with pytest.raises(UsageError, match=r'unknown fruit "peer"; did you mean "pear"\? \(known: absent, join, pear\)'):
        fruit()["peer"]
    assert "peer" not in fruit()
    assert plugins


def every_registry() -> list[Registry]:
    from albertkit.checkpoints import FORMATS
    from albertkit.cli import COMMANDS
    from albertkit.datasets import DATASETS
    from albertkit.tasks import TASKS

    return [FORMATS, COMMANDS, DATASETS, TASKS]


@pytest.mark.parametrize("names", every_registry(), ids=lambda names: names.kind)
def test_every_entry_of_every_registry_loads(names: Registry) -> None:
    values: dict[str, Any] = {name: names[name] for name in names}
    assert values
    assert all(value is not None for value in values.values())
