"""Completion in bash, zsh and fish: the scripts are click's, bash itself runs one, and the candidates are ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.running import Runner

from albertkit.cli import COMMANDS, group
from albertkit.cli.completion import SHELLS, VARIABLE, complete
from albertkit.errors import UsageError


def candidates(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *words: str, shell: str = "bash"
) -> list[list[str]]:
    """What the shell is told when its cursor is at the end of the last word."""
    monkeypatch.setenv("COMP_WORDS", " ".join(["albertkit", *words]))
    monkeypatch.setenv("COMP_CWORD", words[-1] if shell == "fish" else str(len(words)))
    capfd.readouterr()
    assert complete(group, f"{shell}_complete") == 0
    lines = capfd.readouterr().out.splitlines()
    if shell == "zsh":  # three lines a candidate: what it is, the word, its help
        return [lines[index : index + 3] for index in range(0, len(lines), 3)]
    return [line.split(",", 1) for line in lines]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_gets_click_s_script(shell: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert complete(group, f"{shell}_source") == 0
    script = capfd.readouterr().out
    assert f"{VARIABLE}={shell}_complete" in script
    begins = {"bash": "_albertkit_completion()", "zsh": "#compdef albertkit", "fish": "function _albertkit_completion"}
    assert script.startswith(begins[shell])
    if found := shutil.which(shell):  # its grammar, where the shell is here
        subprocess.run([found, "-n"], input=script, text=True, check=True)


def test_commands_options_and_choices(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    assert [word for _, word in candidates(monkeypatch, capfd, "")] == sorted(COMMANDS)
    assert candidates(monkeypatch, capfd, "fi") == [["plain", "fill"], ["plain", "finetune"]]
    assert candidates(monkeypatch, capfd, "finetune", "--pool") == [["plain", "--pooling"]]
    assert candidates(monkeypatch, capfd, "finetune", "--pooling", "") == [
        ["plain", w] for w in ("pooler", "cls", "mean", "pair")
    ]


def test_names_that_albertkit_knows(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    assert candidates(monkeypatch, capfd, "finetune", "--model", "albert-n") == [["plain", "albert-nano"]]
    found = candidates(monkeypatch, capfd, "finetune", "--data", "glue/s")
    assert found == [["plain", "glue/sst2"], ["plain", "glue/stsb"]]


@pytest.mark.parametrize("words", [("predict", "runs/p"), ("finetune", "--data", "my.cs"), ("info", "")])
def test_files_where_nothing_else_is_known(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert candidates(monkeypatch, capfd, *words) == [["file", words[-1]]]
    assert [row[:2] for row in candidates(monkeypatch, capfd, *words, shell="zsh")] == [["file", words[-1]]]


def test_zsh_and_fish_are_told_what_a_command_does(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    summary = "Predict the pieces behind each [MASK] in a text."
    assert candidates(monkeypatch, capfd, "fill", shell="zsh")[0][:2] == ["plain", "fill"]
    assert summary[:20] in candidates(monkeypatch, capfd, "fill", shell="zsh")[0][2]
    kind, rest = candidates(monkeypatch, capfd, "fil", shell="fish")[0]
    assert (kind, rest.split("\t")[0]) == ("plain", "fill")


@pytest.mark.parametrize("instruction", ["tcsh_source", "bash_sing", "yes"])
def test_another_instruction_is_one_sentence(instruction: str) -> None:
    with pytest.raises(
        UsageError, match=f"_ALBERTKIT_COMPLETE={instruction} is none of bash_source, zsh_source, fish_s"
    ):
        complete(group, instruction)


def test_the_command_answers_its_shell(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv(VARIABLE, "bash_source")
    outcome = Runner(capfd, monkeypatch)()
    assert (outcome.status, outcome.out.split("()")[0]) == (0, "_albertkit_completion")
    monkeypatch.setenv(VARIABLE, "sh_source")
    outcome = Runner(capfd, monkeypatch)()
    assert (outcome.status, outcome.out) == (2, "")


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not here")
def test_bash_completes(tmp_path: Path) -> None:
    command = tmp_path / "albertkit"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m albertkit "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    script = f"""
        eval "$({VARIABLE}=bash_source albertkit)"
        COMP_WORDS=(albertkit ev); COMP_CWORD=1
        _albertkit_completion albertkit
        echo "${{COMPREPLY[@]}}"
    """
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    found = subprocess.run(
        ["bash", "--norc", "-c", script], capture_output=True, text=True, check=True, env=environment
    )
    assert found.stdout == "evaluate\n", found.stderr
