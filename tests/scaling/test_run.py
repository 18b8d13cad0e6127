"""The driver: output equal to one process's, going on after a stop, refusals. What Ray does is played by a loop."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from tests.cli.running import ONE_THREAD, Outcome, Runner
from tests.tiny import leftovers, tiny_folder

from albertkit.io.vectors import VectorFile
from albertkit.scaling import run
from albertkit.scaling.folder import OutputFolder

parquet = pytest.importorskip("pyarrow.parquet")
RAY = ("--ray", "local", *ONE_THREAD)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """30 rows: five parts of seven."""
    path = tmp_path / "t.jsonl"
    texts = [f"{'film ' * (number % 5)}{number}" if number % 9 else " " for number in range(30)]
    path.write_text("".join(json.dumps({"text": text, "id": f"row {at}"}) + "\n" for at, text in enumerate(texts)))
    return path


def embed(albertkit: Runner, source: Path, out: Path, *more: str) -> Outcome:
    return albertkit("embed", tiny_folder(), "--input", source, "--output", out, *RAY, "--json", *more)


def test_the_folder_holds_what_one_process_writes(
    albertkit: Runner, table: Path, tmp_path: Path, made: list[str]
) -> None:
    out = tmp_path / "out"
    outcome = albertkit("embed", tiny_folder(), "--input", table, "--output", out, *RAY, "--json")
    assert outcome.err == "note: 4 of 30 texts are empty or blank; their vectors mean nothing\n"
    found = outcome.json
    assert {**found, "seconds": 0} == {"texts": 30, "dimensions": 16, "parts": 5, "made": 5, "seconds": 0}
    single = tmp_path / "single.parquet"
    albertkit("embed", tiny_folder(), "--input", table, "--output", single, *ONE_THREAD)
    assert parquet.read_table(out).equals(parquet.read_table(single))  # pyarrow passes over what begins with "_"
    whole, parts = VectorFile(single), VectorFile(out)
    assert (len(parts), parts.made_by) == (30, whole.made_by)
    vectors = [np.concatenate([vectors for _, vectors in file.pieces()]) for file in (whole, parts)]
    assert vectors[0].tobytes() == vectors[1].tobytes()
    nearest, wanted = (albertkit("nearest", file, "film 1", *ONE_THREAD, "--json").json for file in (out, single))
    assert [row["text"] for row in nearest] == [row["text"] for row in wanted]
    assert [row["similarity"] for row in nearest] == pytest.approx([row["similarity"] for row in wanted], abs=1e-6)
    manifest = json.loads((out / "_manifest.json").read_text())
    assert [entry["name"] for entry in manifest["files"]] == sorted(made)
    assert sorted(file.name for file in out.iterdir()) == ["_manifest.json", *sorted(made)]
    assert [entry["rows"] for entry in manifest["files"]] == [7, 7, 7, 7, 2]


def test_predictions_are_those_of_one_process(
    albertkit: Runner, run_folder: Path, table: Path, tmp_path: Path, made: list[str]
) -> None:
    out = tmp_path / "out"
    outcome = albertkit("predict", run_folder, "--input", table, "--output", out, *RAY, "--json")
    assert (outcome.json["texts"], outcome.json["made"], len(made)) == (30, 5, 5)
    rows = [json.loads(line) for name in sorted(made) for line in (out / name).read_text().splitlines()]
    albertkit("predict", run_folder, "--input", table, "--output", tmp_path / "single.jsonl", *ONE_THREAD)
    expected = [json.loads(line) for line in (tmp_path / "single.jsonl").read_text().splitlines()]
    assert [(row["text"], row["label"]) for row in rows] == [(row["text"], row["label"]) for row in expected]
    for row, other in zip(rows, expected, strict=True):
        assert row["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5)


def stopped(albertkit: Runner, table: Path, out: Path, monkeypatch: pytest.MonkeyPatch, *, after: int) -> None:
    """Leave a folder as a driver does that was killed: a journal of so many parts, half a line, a writer's file."""
    add = OutputFolder.add

    def interrupted(self: OutputFolder, line: dict[str, object]) -> None:
        if len(self.done) == after:
            raise KeyboardInterrupt
        add(self, line)

    with monkeypatch.context() as patch:
        patch.setattr(OutputFolder, "add", interrupted)
        assert embed(albertkit, table, out).status == 130
    with (out / "_progress.jsonl").open("a") as file:
        file.write('{"name": "part-000')
    (out / ".part-00000000.parquet.77.tmp").write_text("half")


def test_parts_that_are_whole_are_not_made_again(
    albertkit: Runner, table: Path, tmp_path: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    stopped(albertkit, table, out, monkeypatch, after=3)
    assert "no _manifest.json in it" in albertkit("nearest", out, "film", "--json").failure()
    spoilt = out / made[0]
    spoilt.write_bytes(spoilt.read_bytes()[:-1] + b"?")
    first = made[:]
    del made[:]
    outcome = embed(albertkit, table, out)
    assert "2 of 5 parts are there already" in outcome.err
    assert (outcome.json["texts"], outcome.json["made"]) == (30, 3)
    assert sorted(made) == sorted({first[0], "part-00000000.parquet", "part-00000001.parquet"})
    assert not leftovers(out)
    del made[:]
    again = embed(albertkit, table, out)
    assert (again.json["texts"], again.json["made"], made) == (30, 0, [])
    (out / "part-00000003.parquet").unlink()  # a folder that has lost a part is mended
    assert (embed(albertkit, table, out).json["made"], made) == (1, ["part-00000003.parquet"])


def test_another_job_is_refused(
    albertkit: Runner, table: Path, tmp_path: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    stopped(albertkit, table, out, monkeypatch, after=2)
    assert len(made) == 3
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    other = tmp_path / "other.jsonl"
    other.write_bytes(table.read_bytes())
    cls = embed(albertkit, table, out, "--pooling", "cls").failure()
    assert 'out holds the output of another job: pooling is "mean" there and "cls" here; give another --output' in cls
    assert "max_length is 64 there and 9 here" in embed(albertkit, table, out, "--max-length", "9").failure()
    assert "input is " in embed(albertkit, other, out).failure()
    os.utime(table, ns=(1, 1))
    assert "input is " in embed(albertkit, table, out).failure()
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "thesis.txt").write_text("mine")
    assert "holds other files (thesis.txt); give an empty or a new one" in embed(albertkit, table, strange).failure()
    assert [file.name for file in strange.iterdir()] == ["thesis.txt"]


def test_a_bad_row_stops_without_a_manifest(albertkit: Runner, tmp_path: Path, made: list[str]) -> None:
    (tmp_path / "in.txt").write_bytes(b"a\n" * 20 + b"\xff\n" + b"a\n" * 9)
    words = embed(albertkit, tmp_path / "in.txt", tmp_path / "out").failure()
    assert "in.txt, line 21: byte 0xff is not UTF-8" in words
    assert not (tmp_path / "out" / "_manifest.json").exists()
    assert made


def test_an_input_that_changes_meanwhile(
    albertkit: Runner, table: Path, tmp_path: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = OutputFolder.finish

    def touched(self: OutputFolder) -> None:
        os.utime(table, ns=(1, 1))
        finish(self)

    monkeypatch.setattr(OutputFolder, "finish", touched)
    assert "t.jsonl: was changed while it was read" in embed(albertkit, table, tmp_path / "out").failure()
    assert not (tmp_path / "out" / "_manifest.json").exists()
    assert len(made) == 5


@pytest.mark.parametrize("name", ["t.txt", "t.parquet"])
def test_a_file_without_rows_is_one_empty_part(name: str, albertkit: Runner, tmp_path: Path, made: list[str]) -> None:
    if name == "t.txt":
        (tmp_path / name).write_text("")
    else:
        import pyarrow

        parquet.write_table(pyarrow.table({"text": pyarrow.array([], "string")}), tmp_path / name)
    assert embed(albertkit, tmp_path / name, tmp_path / "out").json["texts"] == 0
    assert len(VectorFile(tmp_path / "out")) == 0
    assert len(made) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["embed", "--output", "out.parquet", "--ray", "local"], "names a file; with --ray it is the folder"),
        (["embed", "--output", "out", "--ray", "local", "--workers", "0"], "--workers is 0; it must be 1 or more"),
        (["embed", "--output", "out.npy", "--workers", "2"], "--workers needs --ray"),
        (["predict", "--ray", "local"], "--ray needs --input FILE and --output FOLDER"),
        (["predict", "--output", "out", "--ray", "local", "--explain"], "--explain cannot be used with --ray"),
        (
            ["predict", "--output", "out", "--ray", "local", "--exit-patience", "2"],
            "--exit-patience cannot be used with --ray",
        ),
    ],
)
def test_usage(
    arguments: list[str], words: str, albertkit: Runner, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    verb, *options = arguments
    outcome = albertkit(verb, tiny_folder(), "--input", table, *options)
    assert (outcome.status, outcome.out) == (2, "")
    assert words in " ".join(outcome.err.split())
    assert not (tmp_path / "out").exists()


def test_workers_that_do_not_share_the_files(
    albertkit: Runner, table: Path, tmp_path: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = run.results

    def elsewhere(*arguments: object, **options: object) -> object:
        return real(*arguments, **{**options, "size": 5})

    monkeypatch.setattr(run, "results", elsewhere)
    words = embed(albertkit, table, tmp_path / "out").failure()
    assert "on the driver's; input and output must lie on a file system that all nodes share" in words
    assert made
