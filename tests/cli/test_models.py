"""`albertkit models`."""

from __future__ import annotations

from tests.cli.running import Runner

from albertkit.hub.known_models import known_models


def test_json_is_the_list(albertkit: Runner) -> None:
    assert albertkit("models", "--json").json == known_models()


def test_one_version(albertkit: Runner) -> None:
    rows = albertkit("models", "--version", "v1", "--json").json
    assert [row["name"] for row in rows] == [f"albert-{size}-v1" for size in ("base", "large", "xlarge", "xxlarge")]


def test_the_table(albertkit: Runner) -> None:
    text = albertkit("models").out
    assert "albert-base-v2" in text
    assert "11,683,584" in text
    assert "49 MB" in text
    assert max(map(len, text.splitlines())) <= 100
