"""A distillation from beginning to end, stopped and continued, and from every kind of teacher."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import tiny_teacher
from tests.tiny import CONFIG, execution, tiny_folder
from tests.tiny_pretrained import pretrained_folder
from tests.written_vectors import write_vectors

import albertkit
from albertkit.errors import RunError, UsageError
from albertkit.inference.predictor import Predictor
from albertkit.io.locks import locked
from albertkit.io.vectors import unit
from albertkit.models.pretrained import load_model
from albertkit.training.distillation import cache
from albertkit.training.distillation import distill as module
from albertkit.training.distillation.distill import distill
from albertkit.training.distillation.inputs import read_source
from albertkit.training.distillation.teachers import open_teacher
from albertkit.training.run_folder import RunFolder

pytest.importorskip("transformers")


def _weights(run: Path) -> bytes:
    model = run / "model"
    return (model / "model.safetensors").read_bytes() + (model / "2_Dense" / "model.safetensors").read_bytes()


def _events(run: Path, kind: str = "step") -> list[dict[str, Any]]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    return [
        {key: value for key, value in event.items() if key != "seconds"} for event in events if event["event"] == kind
    ]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with masked words and sentence order, not interrupted."""
    out = tmp_path_factory.mktemp("runs") / "alone"
    distill(tiny_teacher.settings(out, pretraining=True))
    return out


def test_writes_a_run_directory(finished: Path) -> None:
    report = json.loads((finished / "report.json").read_text())
    assert {
        "vector_cosine",
        "relation_error",
        "mlm_accuracy",
        "sop_accuracy",
        "tokens",
        "tokens_per_second",
    } <= report.keys()
    assert report["kind"] == "distillation"
    assert (report["steps"], report["texts"], report["held_out_texts"]) == (10, 80, 10)
    assert report["teacher_dimensions"] == tiny_teacher.DIMENSIONS
    events = _events(finished)
    assert [event["step"] for event in events] == list(range(1, 11))
    assert report["tokens"] == sum(event["tokens"] for event in events) == events[-1]["training_tokens"]
    assert [event["step"] for event in _events(finished, "evaluation")] == [3, 6, 9]
    assert (finished / "plots" / "history.png").read_bytes().startswith(b"\x89PNG")
    cosines = [event["vector_cosine"] for event in _events(finished, "evaluation")]
    assert cosines == sorted(cosines)
    assert report["vector_cosine"] > cosines[0] + 0.02


def test_the_student_embeds_fills_and_says_its_pooling(finished: Path) -> None:
    predictor = Predictor.load(finished)
    assert predictor.default_pooling == "mean"
    assert set(predictor.model.network.heads) == {"mlm", "sop"}
    assert predictor.embed(["a splendid film", "x"]).shape == (2, tiny_teacher.DIMENSIONS)
    assert predictor.embed(["x"], pooling="cls").shape == (1, CONFIG.hidden_size)


def test_the_scores_are_those_of_the_saved_student(finished: Path) -> None:
    predictor = Predictor.load(finished, execution=execution())
    settings = tiny_teacher.settings(finished, pretraining=True)
    source, _ = read_source(settings, predictor.model.tokenizer, execution())
    own = unit(predictor.embed(source.held_out.texts, max_length=settings.max_length))
    teacher = unit(open_teacher(settings.teacher, execution()).embed(source.held_out.texts))
    report = json.loads((finished / "report.json").read_text())
    assert report["vector_cosine"] == pytest.approx(float((own * teacher).sum(axis=1).mean()), abs=2e-3)
    apart = (own @ own.T - teacher @ teacher.T)[~np.eye(len(own), dtype=bool)]
    assert report["relation_error"] == pytest.approx(float((apart**2).mean()), abs=2e-3)


@pytest.mark.parametrize("stop_at", [0, 3, 8])
def test_a_stopped_run_ends_with_the_same_bits(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_at: int
) -> None:
    out = tmp_path / "stopped"
    settings = tiny_teacher.settings(out, pretraining=True)
    log = RunFolder.log

    def stop(self: RunFolder, event: dict[str, Any]) -> None:
        if event["event"] == "step" and event["step"] == stop_at + 1:
            raise KeyboardInterrupt
        log(self, event)

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "log", stop)
        with pytest.raises(KeyboardInterrupt):
            distill(settings)
    distill(settings, resume=True)
    assert _weights(out) == _weights(finished)
    assert _events(out) == _events(finished)
    with pytest.raises(RunError, match="this run is complete"):
        distill(settings, resume=True)


def test_a_stop_while_the_teacher_works_keeps_its_vectors(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALBERTKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "TEXTS", 16)
    settings = tiny_teacher.settings(tmp_path / "run", pretraining=True)
    embedded: list[int] = []

    class Stops(cache.CachedTeacher):
        def _computed(self, chunks: Any) -> Any:
            for vectors in super()._computed(chunks):
                if len(embedded) == 3 and settings.seed == 12345 and not (tmp_path / "again").exists():
                    raise KeyboardInterrupt
                embedded.append(len(vectors))
                yield vectors

    monkeypatch.setattr("albertkit.training.distillation.inputs.CachedTeacher", Stops)
    with pytest.raises(KeyboardInterrupt):
        distill(settings)
    (tmp_path / "again").touch()
    distill(settings, resume=True)
    assert embedded == [16] * 5 + [10]  # 80 texts to train on in 5 files, 10 held out in one; none of them twice
    np.testing.assert_array_equal(_floats(tmp_path / "run"), _floats(finished))


def _floats(run: Path) -> Any:
    # The teacher's batches of 16 texts may round in another way than those of 1,024.
    return np.round([event["vector_cosine"] for event in _events(run)], 2)


@pytest.mark.slow
def test_ten_kills_end_with_the_same_bits(tmp_path: Path) -> None:
    def command(out: Path, *more: str) -> list[str]:
        return [
            sys.executable, "-m", "albertkit", "distill", "--teacher", str(tiny_teacher.tiny_teacher()), "--config",
            str(tiny_teacher.tiny_config()), "--data", str(tiny_teacher.tiny_texts()), "--out", str(out), "--start",
            "keep", "--pretraining", "--steps", "400", "--batch-size", "8", "--max-length", "32", "--held-out", ".1",
            "--save-seconds", "0", "--precision", "fp32", "--device", "cpu", "--threads", "1", "--workers", "1", *more,
        ]  # fmt: skip

    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    started = time.monotonic()
    subprocess.run(command(tmp_path / "alone"), check=True, env=environment, capture_output=True)
    whole = time.monotonic() - started
    moments = random.Random(7)
    kills = 0
    while kills < 10:
        process = subprocess.Popen(
            command(tmp_path / "killed", "--resume"),
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            process.wait(timeout=moments.uniform(0.3, 0.7) * whole)
            break  # complete before the tenth kill
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
    if not (tmp_path / "killed" / "report.json").exists():
        subprocess.run(command(tmp_path / "killed", "--resume"), check=True, env=environment, capture_output=True)
    assert kills >= 2
    assert _weights(tmp_path / "killed") == _weights(tmp_path / "alone")
    assert _events(tmp_path / "killed") == _events(tmp_path / "alone")


def test_an_albert_teaches_and_a_checkpoint_learns(tmp_path: Path) -> None:
    settings = tiny_teacher.settings(
        tmp_path / "run", teacher=str(tiny_folder()), config=None, model=str(pretrained_folder()), steps=3, start=None
    )
    report = distill(settings)
    assert report.teacher_dimensions == CONFIG.hidden_size
    assert any("the head mlm and sop of" in note and "is left out; --pretraining" in note for note in report.notes)
    assert "mlm_accuracy" not in report.to_dict()
    assert json.loads((tmp_path / "run" / "config.json").read_text())["start"] == "keep"
    assert not load_model(tmp_path / "run").network.heads


def test_heads_of_a_checkpoint_are_trained_further(tmp_path: Path) -> None:
    settings = tiny_teacher.settings(
        tmp_path / "run", config=None, model=str(pretrained_folder()), steps=2, pretraining=True
    )
    assert distill(settings).notes == ()
    before, after = (
        load_model(path).network.mlm_head.bias.detach() for path in (pretrained_folder(), tmp_path / "run")
    )
    assert 0 < float((before - after).abs().max()) < 0.1


def test_a_low_rate_keeps_the_layers(tmp_path: Path) -> None:
    started = load_model(pretrained_folder()).network
    moved = {}
    for rate in (1.0, 1e-6):
        run = tmp_path / str(rate)
        distill(tiny_teacher.settings(run, config=None, model=str(pretrained_folder()), steps=2, layer_rate=rate))
        trained = load_model(run).network
        moved[rate] = [
            max(
                float((after - before).detach().abs().max())
                for after, before in zip(part(trained).parameters(), part(started).parameters(), strict=True)
            )
            for part in (lambda network: network.encoder.groups, lambda network: network.encoder.embeddings)
        ]
    assert moved[1e-6][0] < 1e-6 < 1e-3 < min(moved[1.0][0], moved[1e-6][1])


@pytest.mark.parametrize("kind", ["npy", "parquet"])
def test_vectors_that_somebody_else_computed(kind: str, tmp_path: Path) -> None:
    texts = tiny_teacher.tiny_texts().read_text().splitlines()
    vectors = np.random.default_rng(1).standard_normal((len(texts), 7)).astype(np.float32)
    path = tmp_path / f"vectors.{kind}"
    changes: dict[str, Any] = {"data": str(tiny_teacher.tiny_texts())}
    if kind == "npy":
        np.save(path, vectors)
    else:
        pytest.importorskip("pyarrow")
        write_vectors(path, vectors, texts=texts)
        changes = {"data": ()}
    report = distill(tiny_teacher.settings(tmp_path / "run", teacher=str(path), start=None, steps=2, **changes))
    assert report.teacher_dimensions == 7
    assert len(list((tmp_path / "run" / "model").iterdir())) > 3


def test_an_exported_model_teaches(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    from albertkit.exporting.export import export

    export(load_model(tiny_folder()), tmp_path / "onnx")
    report = distill(tiny_teacher.settings(tmp_path / "run", teacher=str(tmp_path / "onnx"), steps=2))
    assert report.teacher_dimensions == CONFIG.hidden_size


def test_other_texts_or_another_teacher_are_refused_on_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "texts.txt"
    data.write_text(tiny_teacher.tiny_texts().read_text())
    settings = tiny_teacher.settings(tmp_path / "run", data=str(data))

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "log", stop)
        with pytest.raises(KeyboardInterrupt):
            distill(settings)
    data.write_text(data.read_text().replace("film", "plot"))
    with pytest.raises(RunError, match="the run's inputs have changed since it started: the content of the texts"):
        distill(settings, resume=True)
    with pytest.raises(RunError, match=r"teacher was .* and is"):
        distill(tiny_teacher.settings(tmp_path / "run", data=str(data), teacher=str(tiny_folder())), resume=True)


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.Schedule, "__call__", lambda *_: float("inf"))
    with pytest.raises(RunError, match="the loss of step 2 is not finite; start again with a lower"):
        distill(tiny_teacher.settings(tmp_path / "run"))


def test_a_locked_folder_is_refused(tmp_path: Path) -> None:
    with locked(tmp_path / "run"), pytest.raises(RunError, match="writes there"):
        distill(tiny_teacher.settings(tmp_path / "run"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_length": 100}, "max-length is 100, and the student has 64 positions"),
        ({"config": "albert-nan"}, 'did you mean "albert-nano"'),
        ({"teacher": "nowhere"}, 'No model "nowhere": not a path'),
        ({"data": ()}, "--data is missing"),
        ({"precision": "int8"}, "int8"),
        ({"schedule": "steep"}, 'unknown schedule "steep"'),
    ],
)
def test_refuses_before_anything_is_written(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        distill(tiny_teacher.settings(tmp_path / "run", **changes))
    assert not (tmp_path / "run").exists()


def test_settings_name_every_problem() -> None:
    with pytest.raises(UsageError, match=r"steps is 0.*held-out is 0;.*one of them.*both given"):
        albertkit.DistillSettings(teacher="t", data="d", out="o", config="c", model="m", steps=0, tokens=5, held_out=0)
