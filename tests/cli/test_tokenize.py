"""albertkit tokenize: one line out for each line in, exact keys, text as given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from albertkit.cli.tokenize import command
from albertkit.errors import DataError, TextError, UsageError
from albertkit.text.tokenizer import Tokenizer


def run(*arguments: str, given: bytes) -> Result:
    return CliRunner().invoke(command, list(arguments), input=given)


def rows(*arguments: str, given: bytes) -> list[dict[str, Any]]:
    result = run("--json", *arguments, given=given)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.split("\n")[:-1]]


def test_ids_pieces_and_offsets() -> None:
    text = "Unfriendly  caf\u00e9\r\x85x\n\nlast"
    first, empty, last = rows(given=text.encode())
    assert empty == {"ids": [], "pieces": [], "offsets": []}
    assert list(first) == ["ids", "pieces", "offsets"]
    assert [text[start:end] for start, end in first["offsets"]][:3] == ["Un", "friendly", "caf\u00e9"]
    assert last["pieces"] == ["\u2581last"]


def test_readable_lines() -> None:
    result = run(given=b"This is a test\n\n[MASK]\n")
    assert result.stdout.split("\n")[:2] == ["\u2581this \u2581is \u2581a \u2581test", ""]
    assert "[MASK]" not in result.stdout


def test_options() -> None:
    assert rows("--specials", given=b"test")[0]["ids"] == [2, 1289, 3]
    assert rows("--specials", "--pairs", given=b"Question?\tAnswer\n")[0]["ids"] == [2, 1301, 60, 3, 1623, 3]
    assert rows("--jsonl", given=b'"a\\nb"\n["a", "to"]\n')[1]["offsets"] == [[0, 1], [0, 2]]
    assert rows("--mode", "keras", given=b"The quick brown fox.")[0]["ids"] == [13, 1, 438, 2231, 886, 2385, 9]
    kept = rows("--keep-accents", given="fals\u00e9".encode())[0]
    assert kept["ids"] == [8256, 18, 1]


@pytest.mark.parametrize(
    "arguments, given, error, message",
    [
        ((), b"fine\n\xff\n", DataError, "standard input, line 2: byte 0"),
        (("--jsonl",), b'"\\ud83d"\n', TextError, "standard input, line 1: .*character 0: the lone surrogate"),
        (("--model", "albert-nan"), b"", UsageError, 'did you mean "albert-nano"'),
    ],
)
def test_refusals(arguments: tuple[str, ...], given: bytes, error: type[Exception], message: str) -> None:
    result = run(*arguments, given=given)
    assert isinstance(result.exception, error)
    with pytest.raises(error, match=message):
        raise result.exception


def test_help_has_an_example() -> None:
    assert "albertkit tokenize" in run("-h", given=b"").output


def test_a_foreign_tokenizer_json_is_told_on_stderr(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    Tokenizer.official().save(tmp_path)
    path = tmp_path / "tokenizer.json"
    whole = run("--model", str(tmp_path), given=b"the end\n")
    assert whole.stderr == ""
    content = json.loads(path.read_text(encoding="utf-8"))
    pieces = content["model"]["vocab"]
    pieces[100], pieces[14] = pieces[14], pieces[100]
    path.write_text(json.dumps(content), encoding="utf-8")
    found = run("--model", str(tmp_path), given=b"the end\n")
    assert found.stdout == whole.stdout
    assert found.stderr.startswith(f"note: {path}: gives other ids for ")
