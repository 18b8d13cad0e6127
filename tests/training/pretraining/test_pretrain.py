"""A pretraining from beginning to end, stopped and going on, and one whose loss runs away."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests import tiny_corpus
from tests.checkpoints.sentence_folders import dense_model
from tests.tiny import tiny_folder
from tests.tiny_pretrained import pretrained_folder
from transformers import AlbertForPreTraining

from albertkit.data.corpus.prepare import prepare
from albertkit.errors import DataError, RunError, UsageError
from albertkit.io.locks import locked
from albertkit.io.progress import Silent
from albertkit.models.loaded import EmbeddingSpec
from albertkit.models.pretrained import load_model, save_model
from albertkit.text.directory import read_directory
from albertkit.text.tokenizer import Tokenizer
from albertkit.training.pretraining import loop as module
from albertkit.training.pretraining.pretrain import pretrain
from albertkit.training.pretraining.settings import PretrainSettings
from albertkit.training.pretraining.steps import PretrainStep, train_step
from albertkit.training.run_folder import RunFolder

STAGED = {"stages": "1x16:.5,2x32:.5"}


def _weights(run: Path) -> bytes:
    return (run / "model" / "model.safetensors").read_bytes()


def _events(run: Path, kind: str = "step") -> list[dict[str, Any]]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    return [
        {key: value for key, value in event.items() if key != "seconds"} for event in events if event["event"] == kind
    ]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in two stages, not interrupted."""
    out = tmp_path_factory.mktemp("runs") / "alone"
    pretrain(tiny_corpus.settings(out, **STAGED))
    return out


def test_writes_a_run_directory(finished: Path) -> None:
    report = json.loads((finished / "report.json").read_text())
    assert {"mlm_loss", "mlm_accuracy", "sop_loss", "sop_accuracy", "tokens", "tokens_per_second"} <= report.keys()
    assert report["steps"] == 12
    assert report["tokens"] == sum(event["tokens"] for event in _events(finished))
    assert 0 < report["held_out_tokens"] < report["tokens"]
    assert [event["layers"] for event in _events(finished)] == [1] * 6 + [2] * 6
    assert [event["step"] for event in _events(finished, "evaluation")] == [3, 6, 9]
    assert (finished / "plots" / "history.png").read_bytes().startswith(b"\x89PNG")


def test_transformers_reads_the_model_with_both_heads(finished: Path) -> None:
    peer = AlbertForPreTraining.from_pretrained(finished / "model").eval()
    ours = load_model(finished)
    assert set(ours.network.heads) == {"mlm", "sop"}
    batch = ours.tokenizer(["two very splendid films"], ["it was a story"])
    padded = {name: torch.from_numpy(array) for name, array in batch.pad().items()}
    with torch.no_grad():
        expected = peer(**padded)
        encoded = ours.network.eval()(batch)
        np.testing.assert_allclose(
            ours.network.masked_piece_logits(encoded.sequence_output), expected.prediction_logits[0], atol=1e-5
        )
        np.testing.assert_allclose(ours.network.heads["sop"](encoded.pooled_output), expected.sop_logits, atol=1e-5)


@pytest.mark.parametrize("stop_at", [2, 6, 7, 11])  # 6: the last step of the first stage
def test_a_stopped_run_ends_with_the_same_bits(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_at: int
) -> None:
    out = tmp_path / "stopped"
    settings = tiny_corpus.settings(out, **STAGED, save_seconds=0)
    log = RunFolder.log

    def stop(self: RunFolder, event: dict[str, Any]) -> None:
        if event["event"] == "step" and event["step"] == stop_at + 1:
            raise KeyboardInterrupt
        log(self, event)

    monkeypatch.setattr(RunFolder, "log", stop)
    with pytest.raises(KeyboardInterrupt):
        pretrain(settings)
    monkeypatch.setattr(RunFolder, "log", log)
    pretrain(settings, resume=True)
    assert _weights(out) == _weights(finished)
    assert _events(out) == _events(finished)


def test_recomputed_layers_train_the_same(finished: Path, tmp_path: Path) -> None:
    pretrain(tiny_corpus.settings(tmp_path / "run", **STAGED, gradient_checkpointing=True))
    assert _weights(tmp_path / "run") == _weights(finished)


def test_goes_back_when_the_loss_runs_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = iter([False] * 3 + [True] + [False] * 100)
    rates = []

    def step(*arguments: Any, **options: Any) -> PretrainStep:
        rates.append(options["learning_rate"])
        if next(broken):
            with torch.no_grad():
                arguments[0].network.encoder.pooler.weight.fill_(torch.nan)
        return train_step(*arguments, **options)

    monkeypatch.setattr(module, "train_step", step)
    said: list[str] = []
    progress = Silent()
    monkeypatch.setattr(progress, "report", lambda sentence, **_: said.append(sentence))
    out = tmp_path / "run"
    report = pretrain(tiny_corpus.settings(out, schedule="constant", warmup=0), progress=progress)
    assert report.returns == 1
    assert any("diverged at step 4; going back to step 0 with 0.5 of the learning rate" in line for line in said)
    assert rates == [5e-3] * 4 + [2.5e-3] * 12
    assert [event["step"] for event in _events(out)] == list(range(1, 13))
    assert np.isfinite(report.mlm_loss)


def test_gives_up_when_the_loss_always_runs_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def step(*arguments: Any, **options: Any) -> PretrainStep:
        with torch.no_grad():
            arguments[0].network.encoder.pooler.weight.fill_(torch.nan)
        return train_step(*arguments, **options)

    monkeypatch.setattr(module, "train_step", step)
    with pytest.raises(RunError, match=r"after 6 returns.*start again with a tenth of the learning rate"):
        pretrain(tiny_corpus.settings(tmp_path / "run"))


def test_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    before = load_model(pretrained_folder()).network.canonical_state()
    settings = tiny_corpus.settings(tmp_path / "run", config=None, model=str(pretrained_folder()), steps=2)
    report = pretrain(settings)
    after = load_model(tmp_path / "run").network.canonical_state()
    assert report.notes == ()
    assert before.keys() == after.keys()
    change = max(float((before[name] - after[name]).abs().max()) for name in before)
    assert 0 < change < 0.05


def test_says_when_heads_are_fresh(tmp_path: Path) -> None:
    settings = tiny_corpus.settings(tmp_path / "run", config=None, model=str(tiny_folder()), steps=1)
    assert any("no mlm and sop head: adding a new, untrained one" in note for note in pretrain(settings).notes)


def test_a_dense_map_is_left_out(tmp_path: Path) -> None:
    save_model(dense_model(), tmp_path / "dense")
    report = pretrain(tiny_corpus.settings(tmp_path / "run", config=None, model=str(tmp_path / "dense"), steps=1))
    assert any("the Dense map of the vectors of" in note and "is dropped" in note for note in report.notes)
    assert load_model(tmp_path / "run").embedding == EmbeddingSpec("mean")


def test_cooldown_keeps_the_model_before_the_fall(tmp_path: Path) -> None:
    settings = tiny_corpus.settings(tmp_path / "run", schedule="cooldown", cooldown=0.5, warmup=0)
    pretrain(settings)
    assert load_model(tmp_path / "run" / "before_cooldown").network.heads.keys() == {"mlm", "sop"}
    rates = [event["learning_rate"] for event in _events(tmp_path / "run")]
    assert rates[:7] == [5e-3] * 7
    assert rates[-1] == pytest.approx(5e-3 / 6)


def test_google_s_instances_train_too(tmp_path: Path) -> None:
    report = pretrain(tiny_corpus.settings(tmp_path / "run", google_quirks=True, steps=4))
    assert report.steps == 4
    assert report.held_out_tokens > 0


def test_without_held_out_documents_the_report_says_so(tmp_path: Path) -> None:
    report = pretrain(tiny_corpus.settings(tmp_path / "run", held_out=0, steps=2))
    assert report.held_out_tokens == 0
    assert report.mlm_loss > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": "nowhere"}, "nowhere"),
        ({"stages": "3x32"}, "a stage has 3 layers; the network has 1 to 2"),
        ({"stages": "1x32"}, "it must train all 2"),
        ({"max_length": 100}, "sequences of 100 tokens; the length must be 8 to 64"),
        ({"batch_tokens": 20}, "--batch-tokens 20 is less than one sequence of 32 tokens"),
        ({"init": "zero"}, 'unknown init "zero"'),
        ({"config": "albert-nan"}, 'did you mean "albert-nano"'),
        ({"schedule": "steep"}, 'unknown schedule "steep"'),
        ({"precision": "fp16"}, "fp16"),
    ],
)
def test_refuses_before_anything_is_written(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises((UsageError, DataError), match=message):
        pretrain(tiny_corpus.settings(tmp_path / "run", **changes))
    assert not (tmp_path / "run").exists()


def test_refuses_another_vocabulary(tmp_path: Path) -> None:
    other = tmp_path / "other"
    from albertkit.text.train_vocabulary import train_vocabulary

    train_vocabulary([tiny_corpus.write_documents(tmp_path / "text.txt")], out=other, size=60)
    from albertkit.data.corpus.prepare import prepare

    prepare([tmp_path / "text.txt"], out=tmp_path / "shards", tokenizer=read_directory(other), processes=1)
    with pytest.raises(UsageError, match="prepared with another vocabulary"):
        pretrain(
            tiny_corpus.settings(
                tmp_path / "run", data=str(tmp_path / "shards"), config=None, model=str(pretrained_folder())
            )
        )
    run = tmp_path / "new"
    pretrain(tiny_corpus.settings(run, data=str(tmp_path / "shards"), steps=2))
    assert load_model(run).network.config.vocab_size == 60


def test_settings_name_every_problem() -> None:
    with pytest.raises(UsageError, match=r"steps is 0.*held-out is 1.5.*one of them.*both given"):
        PretrainSettings(data="d", out="o", config="c", model="m", steps=0, tokens=5, held_out=1.5)


def test_other_shards_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = shutil.copytree(tiny_corpus.tiny_shards(), tmp_path / "shards")
    settings = tiny_corpus.settings(tmp_path / "run", data=str(data), save_seconds=0)

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "log", stop)
        with pytest.raises(KeyboardInterrupt):
            pretrain(settings)
    shutil.rmtree(data)
    prepare(
        [tiny_corpus.write_documents(tmp_path / "text.txt", seed=6)],
        out=data, tokenizer=Tokenizer.official(), max_length=32, processes=1,
    )  # fmt: skip
    with pytest.raises(RunError, match="the run's inputs have changed since it started: the shards changed; bring it"):
        pretrain(settings, resume=True)


def test_a_locked_folder_is_refused(tmp_path: Path) -> None:
    with locked(tmp_path / "run"), pytest.raises(RunError, match=r"run: another albertkit \(process .*\) writes there"):
        pretrain(tiny_corpus.settings(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_manifest_with_another_vocabulary_size(tmp_path: Path) -> None:
    data = shutil.copytree(tiny_corpus.tiny_shards(), tmp_path / "shards")
    manifest = json.loads((data / "manifest.json").read_text())
    manifest["tokenizer"]["vocab_size"] = 40_000
    (data / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="the manifest says 40,000 pieces, the tokenizer has 30,000"):
        pretrain(tiny_corpus.settings(tmp_path / "run", data=str(data)))
