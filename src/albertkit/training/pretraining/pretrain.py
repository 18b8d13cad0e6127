"""Pretrain: from shards to a run directory with its model, report and curves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from albertkit.config import PUBLISHED, AlbertConfig, published_config
from albertkit.data.corpus.shards import Corpus
from albertkit.data.pretraining.masking import MaskingRule, word_start_table
from albertkit.data.pretraining.stream import (
    InstanceStream,
    PendingBatch,
    Position,
    held_out_documents,
)
from albertkit.device import Execution, choose_execution
from albertkit.errors import DataError, UsageError
from albertkit.model.encoder import Encoder
from albertkit.pretrained import Model, load_model, save_model
from albertkit.progress import Silent, Teller, counted
from albertkit.tasks.network import Network, pretraining_heads
from albertkit.tasks.pretraining.objective import PretrainingObjective
from albertkit.text.tokenizer import Tokenizer
from albertkit.training.optimizers import build_optimizer
from albertkit.training.pretraining.events import Events
from albertkit.training.pretraining.finish import finish
from albertkit.training.pretraining.guard import INTERVAL
from albertkit.training.pretraining.processes import Processes, join_processes
from albertkit.training.pretraining.report import PretrainReport
from albertkit.training.pretraining.settings import PretrainSettings, complete
from albertkit.training.pretraining.stages import Stages
from albertkit.training.pretraining.start import COUNTED_TOKENS, STARTS, fresh_weights, informed_start
from albertkit.training.pretraining.state import GOOD, PretrainState
from albertkit.training.pretraining.steps import PretrainScores, PretrainStep, held_out_scores, train_step
from albertkit.training.run import RunFolder
from albertkit.training.schedules import learning_rate

HEADS = ("mlm", "sop")
BETAS = (0.9, 0.98)
"""AdamW's; the second one shorter than Google's, for a run of thousands of steps, not a hundred thousand."""


def pretrain(settings: PretrainSettings, *, resume: bool = False, teller: Teller | None = None) -> PretrainReport:
    """Train masked pieces and sentence order on shards, and write the run directory.

    Under torchrun all processes call this with the same settings; the first writes and speaks.

    Args:
        settings: what to do; open choices come from the recipe for the size.
        resume: go on with a run that was stopped; on one process its weights end as if it had not been.
        teller: where to say how it goes; silent when left out.

    Raises:
        UsageError, DataError, CheckpointError, ConfigError: the settings, the shards or the model cannot be used.
        RunError: the run directory exists, cannot go on, or the loss ran away for good.
        WriteError: the system refused a file.
    """
    corpus = Corpus.open(settings.data)
    execution = choose_execution(device=settings.device, precision=settings.precision, threads=settings.threads)
    if execution.precision == "fp16":
        raise UsageError("pretraining in fp16 would need loss scaling; use --precision bf16 or fp32")
    with join_processes(execution.device) as processes:
        return _Pretraining.prepare(
            settings,
            corpus,
            execution,
            processes,
            resume=resume,
            teller=(teller or Silent()) if processes.is_main else Silent(),
        ).run(resume=resume)


@dataclass
class _Pretraining:
    """What the parts of one run share."""

    settings: PretrainSettings
    stages: Stages
    corpus: Corpus
    model: Model
    stream: InstanceStream
    held_out: InstanceStream | None
    execution: Execution
    processes: Processes
    folder: RunFolder
    teller: Teller

    @classmethod
    def prepare(
        cls,
        settings: PretrainSettings,
        corpus: Corpus,
        execution: Execution,
        processes: Processes,
        *,
        resume: bool,
        teller: Teller,
    ) -> _Pretraining:
        """Check everything that can be checked before the first step; nothing is written."""
        if settings.init not in STARTS:
            raise UsageError(f'unknown init "{settings.init}" (known: {", ".join(STARTS)})')
        tokenizer = Tokenizer.load(corpus.tokenizer_folder)
        model = _model(settings, tokenizer)
        config = model.network.config
        if config.vocab_size < corpus.vocab_size:
            raise UsageError(
                f"{settings.data} was prepared with {corpus.vocab_size} pieces, the network knows {config.vocab_size}; "
                "prepare the text with the model's own tokenizer (albertkit prepare --model ..)"
            )
        if settings.model is not None and model.tokenizer.model != tokenizer.model:
            raise UsageError(
                f"{settings.data} was prepared with another vocabulary than that of {settings.model}; "
                f"prepare the text again with --model {settings.model}"
            )
        train, held_out = held_out_documents(corpus.num_documents, share=settings.held_out, seed=settings.seed)
        corpus_tokens = int(corpus.document_lengths[train].sum())
        settings = complete(
            settings, config, corpus_tokens=corpus_tokens, max_length=corpus.max_length, processes=processes.world
        )
        stages = Stages.parse(settings.stages or "")
        stages.check(config, batch_tokens=settings.batch_tokens)
        learning_rate(0, peak=1.0, total_steps=1, warmup_steps=0, schedule=settings.schedule)  # tells an unknown one
        folder = RunFolder.open(settings.out, {**settings.to_dict(), "processes": processes.world}, resume=resume)
        stream = _stream(settings, corpus, train, tokenizer)
        scored = None
        if len(held_out):
            # Always the same masks, the paper's share, the length of the last stage: scores of a run can be compared.
            scored = replace(
                stream,
                documents=held_out,
                rule=replace(stream.rule, share=0.15, max_ngram=3),
                max_length=stages.stages[-1].length,
                seed=0,
            )
        return cls(settings, stages, corpus, model, stream, scored, execution, processes, folder, teller)

    def run(self, *, resume: bool) -> PretrainReport:
        """Train to the end and write what came out."""
        settings, network = self.settings, self.model.network
        for note in self.model.notes:
            self.teller.say(f"note: {note}")
        optimizer = build_optimizer(
            settings.optimizer,
            [network],
            weight_decay=settings.weight_decay,
            bias_correction=settings.bias_correction,
            betas=BETAS if settings.bias_correction else (0.9, 0.999),
        )
        state = PretrainState(network, optimizer)
        if not (resume and state.restore(self.folder)) and settings.config is not None:
            self._start()
        network.to(self.execution.torch_device)
        if self.processes.is_main:
            self.folder.begin({**settings.to_dict(), "processes": self.processes.world}, step=state.step)
        if state.step:
            self.teller.say(f"going on after step {state.step:,} of {settings.steps:,}")
        objective: nn.Module = PretrainingObjective(network)
        if self.processes.world > 1:
            objective = DistributedDataParallel(objective)
        objective.train()
        self._train(objective, state)
        scores, tokens = self._score_all(objective, state)
        self.processes.wait()
        return finish(
            self.model,
            settings=settings,
            scores=scores,
            held_out_tokens=tokens,
            state=state,
            run=self.folder,
            execution=self.execution,
            processes=self.processes,
            teller=self.teller,
        )

    def _start(self) -> None:
        fresh_weights(self.model.network, seed=self.settings.seed)
        if self.settings.init == "random":
            return
        documents = self.stream.documents
        expected = min(COUNTED_TOKENS, int(self.corpus.document_lengths[documents].sum()))
        with self.teller.bar("counting which pieces stand together", total=expected) as advance:
            counted_tokens = informed_start(
                self.model.network,
                self.corpus,
                documents,
                num_specials=5,
                seed=self.settings.seed,
                progress=counted(advance),
            )
        self.teller.say(f"informed start: {counted_tokens:,} tokens counted")

    def _train(self, objective: nn.Module, state: PretrainState) -> None:
        settings, main = self.settings, self.processes.is_main
        assert settings.steps is not None
        rate = partial(
            learning_rate,
            peak=settings.learning_rate or 0.0,
            total_steps=settings.steps,
            warmup_steps=round(settings.steps * settings.warmup),
            schedule=settings.schedule,
            cooldown_steps=round(settings.steps * settings.cooldown),
        )
        every = max(1, round(settings.steps * settings.eval_share))
        per_step = settings.accumulate * self.processes.world
        scored = self._scored_batches(settings.eval_tokens)
        number, stage = self.stages.at(state.step, total_steps=settings.steps)
        batches = self._enter(stage.layers, stage.length, state.position)
        if state.step == 0 and main:
            state.save(self.folder, name=GOOD)
        saved = time.monotonic()
        events = Events(self.folder, tensorboard=settings.tensorboard, is_main=main, step=state.step)
        with closing(events), self.teller.bar("pretraining", total=settings.steps) as advance:
            advance(state.step)
            while state.step < settings.steps:
                current, stage = self.stages.at(state.step, total_steps=settings.steps)
                if current != number:
                    number = current
                    # The rest of the pool was cut for another length: go on with the next one.
                    state.position = Position(state.position.epoch, state.position.pool + 1, 0)
                    batches = self._enter(stage.layers, stage.length, state.position)
                    state.guard.begin_stage()
                    self.teller.say(f"step {state.step:,}: {stage.layers} layers, {stage.length} tokens")
                    if main:
                        state.save(self.folder, name=GOOD)
                    self.processes.wait()
                current_rate = rate(state.step) * state.guard.factor
                pending, positions = zip(*islice(batches, per_step), strict=True)
                step = train_step(
                    objective,
                    state.optimizer,
                    pending,
                    learning_rate=current_rate,
                    clip_norm=settings.clip_norm,
                    execution=self.execution,
                    processes=self.processes,
                    seed=settings.seed * 1_000_003 + state.step,
                )
                if not state.guard.is_good(step.scores.mlm_loss + step.scores.sop_loss, step.gradient_norm):
                    batches = self._go_back(state, positions[-1], current_rate)
                    number = self.stages.at(state.step, total_steps=settings.steps)[0]
                    continue
                state.step += 1
                state.position = positions[-1]
                state.tokens += step.scores.tokens
                state.seconds += step.seconds
                events.log(_event(state, step, current_rate, stage.layers, stage.length))
                advance(1, info=_info(step))
                if state.step % every == 0 and state.step < settings.steps and scored:
                    self._evaluate(objective, scored, state)
                if self.settings.schedule == "cooldown" and state.step == settings.steps - round(
                    settings.steps * settings.cooldown
                ):
                    self._keep("before_cooldown")
                if main and state.step % INTERVAL == 0:
                    state.save(self.folder, name=GOOD)
                last = state.step == settings.steps
                if main and (last or time.monotonic() - saved >= settings.save_seconds):
                    state.save(self.folder)
                    saved = time.monotonic()

    def _enter(self, layers: int, length: int, position: Position) -> Iterator[tuple[PendingBatch, Position]]:
        self.model.network.encoder.active_layers = layers
        return replace(self.stream, max_length=length).batches(position)

    def _go_back(
        self, state: PretrainState, position: Position, rate: float
    ) -> Iterator[tuple[PendingBatch, Position]]:
        """Restore the last good point, but go on behind the text at which the loss ran away."""
        step = state.step + 1
        self.processes.wait()
        state.restore(self.folder, name=GOOD, with_guard=False)
        sentence = state.guard.go_back(step=step, good_step=state.step, rate=rate)
        self.teller.say(f"warning: {sentence}")
        state.position = position
        if self.processes.is_main:
            self.folder.begin({}, step=state.step)  # drops the events after that step: they come again
            self.folder.log({"event": "return", "step": state.step, "from_step": step, "factor": state.guard.factor})
            state.save(self.folder)
        _, stage = self.stages.at(state.step, total_steps=self.settings.steps or 1)
        return self._enter(stage.layers, stage.length, position)

    def _scored_batches(self, most: int | None) -> list[PendingBatch]:
        if self.held_out is None:
            return []
        batches: list[PendingBatch] = []
        tokens = 0
        for pending, position in self.held_out.batches():
            if position.epoch or (most is not None and tokens >= most):
                break
            batches.append(pending)
            tokens += sum(pair.length for pair in pending.pairs)
        return batches

    def _evaluate(self, objective: nn.Module, batches: list[PendingBatch], state: PretrainState) -> None:
        scores = held_out_scores(objective, batches, execution=self.execution, processes=self.processes)
        record = {"step": state.step, "training_tokens": state.tokens, **scores.to_dict()}
        state.evaluations.append(record)
        if self.processes.is_main:
            self.folder.log({"event": "evaluation", **record})
        self.teller.say(
            f"step {state.step:,}, {state.tokens:,} tokens: held-out loss {scores.mlm_loss:.3f}, "
            f"accuracy {scores.mlm_accuracy:.2f}; order {scores.sop_loss:.3f}, {scores.sop_accuracy:.2f}"
        )
        self._keep("model")

    def _keep(self, name: str) -> None:
        if self.processes.is_main:
            save_model(self.model, self.folder.path / name)

    def _score_all(self, objective: nn.Module, state: PretrainState) -> tuple[PretrainScores, int]:
        batches = self._scored_batches(None)
        if batches:
            with self.teller.bar("scoring held-out text", total=1) as advance:
                scores = held_out_scores(objective, batches, execution=self.execution, processes=self.processes)
                advance(1)
            state.evaluations.append({"step": state.step, "training_tokens": state.tokens, **scores.to_dict()})
            return scores, scores.tokens
        sample = [pending for pending, _ in islice(self.stream.batches(), 20)]
        return held_out_scores(objective, sample, execution=self.execution, processes=self.processes), 0


def _model(settings: PretrainSettings, tokenizer: Tokenizer) -> Model:
    if settings.model is not None:
        model = load_model(settings.model)
        config = model.network.config
        missing = [name for name in HEADS if name not in model.network.heads]
        notes = model.notes
        if missing:
            notes = (*notes, f"{settings.model} has no head {' and '.join(missing)}: fresh ones are trained")
        torch.manual_seed(settings.seed)
        fresh = pretraining_heads(config, tuple(missing))
        heads = {name: model.network.heads[name] if name not in missing else fresh[name] for name in HEADS}
        return replace(model, network=Network(model.network.encoder, heads), task=None, labels=(), notes=notes)
    assert settings.config is not None
    if settings.config in PUBLISHED:
        config = published_config(settings.config)
    elif settings.config.endswith(".json"):
        config = AlbertConfig.from_file(settings.config)
    else:
        config = published_config(settings.config)  # tells the nearest name
    if config.vocab_size != tokenizer.vocab_size:
        config = replace(config, vocab_size=tokenizer.vocab_size)
    return Model(Network(Encoder(config), pretraining_heads(config, HEADS)), tokenizer, source=settings.config)


def _stream(
    settings: PretrainSettings, corpus: Corpus, documents: np.ndarray[Any, Any], tokenizer: Tokenizer
) -> InstanceStream:
    if not int(corpus.document_lengths[documents].sum()):
        raise DataError(f"{settings.data}: no text is left to train on")
    specials = {tokenizer.pad_id, tokenizer.unk_id, tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id}
    assert settings.max_length is not None
    return InstanceStream(
        corpus,
        documents,
        MaskingRule(
            word_start_table(tokenizer.vocabulary.pieces),
            tokenizer.mask_id,
            np.array([piece for piece in range(tokenizer.vocab_size) if piece not in specials]),
            share=settings.mask_share,
            max_ngram=settings.max_ngram,
        ),
        tokenizer.cls_id,
        tokenizer.sep_id,
        max_length=settings.max_length,
        batch_tokens=settings.batch_tokens,
        short_share=settings.short_share,
        seed=settings.seed,
    )


def _event(state: PretrainState, step: PretrainStep, rate: float, layers: int, length: int) -> dict[str, Any]:
    return {
        "event": "step",
        "step": state.step,
        "training_tokens": state.tokens,
        **{name: round(value, 5) for name, value in asdict(step.scores).items()},
        "learning_rate": rate,
        "gradient_norm": round(step.gradient_norm, 4),
        "layers": layers,
        "length": length,
        "seconds": round(step.seconds, 4),
    }


def _info(step: PretrainStep) -> str:
    scores = step.scores
    return (
        f"loss {scores.mlm_loss:.2f}, accuracy {scores.mlm_accuracy:.0f} %, order {scores.sop_accuracy:.0f} %, "
        f"{scores.tokens / step.seconds:,.0f} tokens/s"
    )
