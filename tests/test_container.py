"""Dockerfile and compose.yaml without Docker: what they start parses, and the health check asks a real server."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from albertkit.cli import COMMANDS, group

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
EXTRAS = set(
    re.findall(r"^(\w+) = \[", PROJECT.split("[project.optional-dependencies]")[1].split("\n[")[0], re.MULTILINE)
)
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))


def instruction(name: str) -> str:
    """The last line of the Dockerfile that begins so, without its name."""
    return re.findall(rf"^{name} +(.*)$", DOCKERFILE, re.MULTILINE)[-1].strip()


def test_it_starts_the_server_for_all_addresses_as_an_ordinary_user() -> None:
    assert json.loads(instruction("ENTRYPOINT")) == ["albertkit"]
    assert int(instruction("USER")) > 0
    for words in (json.loads(instruction("CMD")), COMPOSE["services"]["albertkit"]["command"]):
        context = COMMANDS[words[0]].make_context(words[0], words[1:], parent=group.make_context("albertkit", words))
        assert (context.params["host"], str(context.params["port"])) == ("0.0.0.0", instruction("EXPOSE"))


def test_it_copies_what_is_there_and_pins_what_the_makefile_pins() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for line in re.findall(r"^COPY (.*)$", DOCKERFILE, re.MULTILINE):
        for name in line.split()[:-1]:
            assert (ROOT / name).exists(), name
            assert f"!{name}" in ignored, name
    torch = re.search(r"^TORCH \?= (\S+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert torch is not None
    assert torch[1] in DOCKERFILE
    assert "serve" in EXTRAS


def test_the_page_names_every_extra() -> None:
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    table = "\n".join(line.split(" | ")[0] for line in page.splitlines() if line.startswith("| `"))
    assert set(re.findall(r"`([a-z]+)`", table)) == EXTRAS


def test_compose_gives_away_nothing() -> None:
    service = COMPOSE["services"]["albertkit"]
    (port,) = service["ports"]
    assert port.startswith("127.0.0.1:")
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert all(volume["read_only"] for volume in service["volumes"])


@pytest.mark.slow
def test_its_health_check_answers() -> None:
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    words = json.loads(instruction("CMD"))
    words[words.index("0.0.0.0")], words[words.index("8000")] = "127.0.0.1", "0"
    check = json.loads(re.search(r"CMD (\[.*\])$", instruction("HEALTHCHECK"))[1])  # type: ignore[index]
    assert check[0] == "python"
    server = subprocess.Popen(
        [sys.executable, "-m", "albertkit", *words, "--json", "--threads", "1"], stdout=subprocess.PIPE, text=True,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        port = json.loads(server.stdout.readline())["port"]
        here = [sys.executable, "-c", check[2].replace(":8000/", f":{port}/")]
        assert subprocess.run(here, check=False, capture_output=True).returncode == 0
        server.terminate()
        assert server.wait(timeout=60) == 0
        assert subprocess.run(here, check=False, capture_output=True).returncode == 1
    finally:
        server.kill()
        server.communicate()
