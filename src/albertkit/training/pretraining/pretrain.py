"""Pretrain: from shards to a run directory with its model, report and curves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

from torch import nn
from torch.nn.parallel import DistributedDataParallel

from albertkit.data.corpus.shards import Corpus
from albertkit.data.pretraining.ahead import batch_workers, built_ahead
from albertkit.data.pretraining.google_stream import GoogleStream
from albertkit.data.pretraining.stream import (
    InstanceStream,
    PendingBatch,
    Position,
    held_out_documents,
)
from albertkit.errors import DataError, UsageError
from albertkit.hardware.device import Execution, choose_execution
from albertkit.io.locks import locked
from albertkit.io.progress import Silent, Teller
from albertkit.models.pretrained import Model, save_model
from albertkit.tasks.pretraining.objective import PretrainingObjective
from albertkit.text.directory import read_directory
from albertkit.text.tokenizer import with_sentencepiece
from albertkit.training.optimizers import build_optimizer
from albertkit.training.pretraining.agreement import check_agreement, shards_digest
from albertkit.training.pretraining.events import Events, step_event, step_info
from albertkit.training.pretraining.finish import finish
from albertkit.training.pretraining.guard import good_interval
from albertkit.training.pretraining.inputs import scored_batches, scoring_stream, starting_model, training_stream
from albertkit.training.pretraining.processes import Processes, join_processes, on_own_device
from albertkit.training.pretraining.report import PretrainReport
from albertkit.training.pretraining.settings import PretrainSettings, complete
from albertkit.training.pretraining.stages import Stages
from albertkit.training.pretraining.start import STARTS, begin
from albertkit.training.pretraining.state import GOOD, LAST, PretrainState
from albertkit.training.pretraining.steps import PretrainScores, held_out_scores, train_step
from albertkit.training.run import RunFolder
from albertkit.training.schedules import learning_rate

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
    with join_processes() as processes, ExitStack() as held:
        with processes.together("preparation"):
            if processes.is_main:  # the others write nothing
                held.enter_context(locked(settings.out))
            training = _Pretraining.prepare(
                settings,
                _execution(settings),
                Corpus.open(settings.data),
                processes,
                resume=resume,
                teller=(teller or Silent()) if processes.is_main else Silent(),
            )
        check_agreement(
            processes,
            training.settings,
            config=training.model.network.config,
            corpus=training.corpus,
            execution=training.execution,
            begun=resume and (training.folder.path / "config.json").is_file(),
        )
        processes.connect(training.execution.device)
        return training.run(resume=resume)


def _execution(settings: PretrainSettings) -> Execution:
    execution = choose_execution(device=settings.device, precision=settings.precision, threads=settings.threads)
    if execution.precision == "int8":
        raise UsageError("int8 is to predict with; pretrain with --precision auto")
    if execution.precision == "fp16":
        raise UsageError("pretraining in fp16 would need loss scaling; use --precision bf16 or fp32")
    return on_own_device(execution)


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
        execution: Execution,
        corpus: Corpus,
        processes: Processes,
        *,
        resume: bool,
        teller: Teller,
    ) -> _Pretraining:
        """Check everything that can be checked before the first step; nothing is written."""
        if settings.init not in STARTS:
            raise UsageError(f'unknown init "{settings.init}" (known: {", ".join(STARTS)})')
        tokenizer = with_sentencepiece(read_directory(corpus.tokenizer_folder))
        if corpus.vocab_size != tokenizer.vocab_size:
            raise DataError(
                f"{settings.data}: the manifest says {corpus.vocab_size:,} pieces, the tokenizer has "
                f"{tokenizer.vocab_size:,}; run albertkit prepare again, or copy the folder again"
            )
        model = starting_model(settings, tokenizer)
        config = model.network.config
        train, held_out = held_out_documents(corpus.num_documents, share=settings.held_out, seed=settings.seed)
        corpus_tokens = int(corpus.document_lengths[train].sum())
        settings = complete(
            settings, config, corpus_tokens=corpus_tokens, max_length=corpus.max_length, processes=processes.world
        )
        stages = Stages.parse(settings.stages or "")
        stages.check(config, batch_tokens=settings.batch_tokens)
        learning_rate(0, peak=1.0, total_steps=1, warmup_steps=0, schedule=settings.schedule)  # tells an unknown one
        folder = RunFolder(settings.out)
        if processes.is_main:  # the others need not see the directory, and may see what the first has just begun
            folder = RunFolder.open(
                settings.out,
                {**settings.to_dict(), "processes": processes.world},
                resume=resume,
                inputs={"shards": shards_digest(corpus)},
            )
        stream = training_stream(settings, corpus, train, tokenizer, num_positions=config.max_position_embeddings)
        scored = scoring_stream(stream, held_out)
        return cls(settings, stages, corpus, model, stream, scored, execution, processes, folder, teller)

    def run(self, *, resume: bool) -> PretrainReport:
        """Train to the end and write what came out."""
        settings, network = self.settings, self.model.network
        for note in (*self.folder.notes, *self.model.notes):
            self.teller.say(f"note: {note}")
        network.to(self.execution.torch_device)
        optimizer = build_optimizer(
            settings.optimizer,
            [network],
            weight_decay=settings.weight_decay,
            bias_correction=settings.bias_correction,
            betas=BETAS if settings.bias_correction else (0.9, 0.999),
        )
        for group in network.encoder.groups:
            group.recompute = settings.recompute  # type: ignore[assignment]
        state = PretrainState(network, optimizer)
        restored = resume and self._restore(state)
        with self.processes.together("start"):
            if self.processes.is_main:
                if not restored and settings.config is not None:
                    # The others take over these weights when they are wrapped.
                    begin(
                        network, self.corpus, self.stream.documents, init=settings.init, seed=settings.seed,
                        teller=self.teller,
                    )  # fmt: skip
                self.folder.begin({**settings.to_dict(), "processes": self.processes.world}, step=state.step)
        if state.step:
            self.teller.say(f"continuing after step {state.step:,} of {settings.steps:,}")
        if settings.compile:
            for group in network.encoder.groups:
                group.compile(dynamic=True)
        objective: nn.Module = PretrainingObjective(network)
        if self.processes.world > 1:
            # Views: the gradients would else be held twice.
            objective = DistributedDataParallel(objective, gradient_as_bucket_view=True)
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

    def _restore(self, state: PretrainState, *, name: str = LAST, with_guard: bool = True) -> bool:
        """Let every process take over the checkpoint, which the first alone needs to see."""
        saved: Any = None
        with self.processes.together(f"restore/{name}/{state.guard.returns}"):
            if self.processes.is_main:
                saved = self.folder.load_checkpoint(name=name)
        saved = self.processes.broadcast(saved, device=self.execution.torch_device)
        if saved is not None:
            state.take_over(saved, run=self.folder, with_guard=with_guard)
        return saved is not None

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
        batches = self._enter(state)
        if state.step == 0 and main:
            state.save(self.folder, name=GOOD)
        saved = time.monotonic()
        with self.processes.together("events"):
            events = Events(self.folder, tensorboard=settings.tensorboard, is_main=main, step=state.step)
        with closing(events), self.teller.bar("pretraining", total=settings.steps) as advance:
            advance(state.step)
            while state.step < settings.steps:
                if self.stages.at(state.step, total_steps=settings.steps)[0] != state.stage:
                    batches = self._next_stage(state)
                stage = self.stages.stages[state.stage]
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
                    continue
                state.step += 1
                state.position = positions[-1]
                state.tokens += step.scores.tokens
                state.seconds += step.seconds
                events.log(step_event(state, step, rate=current_rate, stage=stage))
                advance(1, info=step_info(step))
                if state.step % every == 0 and state.step < settings.steps:
                    self._evaluate(objective, state)
                if self.settings.schedule == "cooldown" and state.step == settings.steps - round(
                    settings.steps * settings.cooldown
                ):
                    self._keep("before_cooldown")
                if main and state.step % good_interval(settings.steps) == 0:
                    state.save(self.folder, name=GOOD)
                last = state.step == settings.steps
                if main and (last or time.monotonic() - saved >= settings.save_seconds):
                    state.save(self.folder)
                    saved = time.monotonic()

    def _enter(self, state: PretrainState) -> Iterator[tuple[PendingBatch, Position]]:
        """Let the stage's layers run, and return the batches from the state's position on."""
        stage = self.stages.stages[state.stage]
        self.model.network.encoder.active_layers = stage.layers
        read = replace(self.stream, max_length=stage.length)
        stream = GoogleStream.like(read) if self.settings.google_quirks else read
        workers = self.settings.workers
        if workers is None:
            workers = batch_workers(self.execution.device)
        if not workers:
            return stream.batches(state.position)
        return built_ahead(
            stream, state.position, workers=workers, rank=self.processes.rank, world=self.processes.world
        )

    def _next_stage(self, state: PretrainState) -> Iterator[tuple[PendingBatch, Position]]:
        state.stage, stage = self.stages.at(state.step, total_steps=self.settings.steps or 1)
        # The rest of the pool was cut for another length: go on with the next one.
        state.position = Position(state.position.epoch, state.position.pool + 1, 0)
        state.guard.begin_stage()
        self.teller.say(f"step {state.step:,}: {stage.layers} layers, {stage.length} tokens")
        if self.processes.is_main:
            state.save(self.folder, name=GOOD)
        self.processes.wait()
        return self._enter(state)

    def _go_back(
        self, state: PretrainState, position: Position, rate: float
    ) -> Iterator[tuple[PendingBatch, Position]]:
        """Restore the last good point, but go on behind the text at which the loss ran away."""
        step = state.step + 1
        self._restore(state, name=GOOD, with_guard=False)
        sentence = state.guard.go_back(step=step, good_step=state.step, rate=rate)
        self.teller.say(f"warning: {sentence}")
        state.position = position
        if self.processes.is_main:
            self.folder.begin({}, step=state.step)  # drops the events after that step: they come again
            self.folder.log({"event": "return", "step": state.step, "from_step": step, "factor": state.guard.factor})
            state.save(self.folder)
        return self._enter(state)

    def _evaluate(self, objective: nn.Module, state: PretrainState) -> None:
        stage = self.stages.stages[state.stage]
        batches = scored_batches(self.held_out, max_length=stage.length, most=self.settings.eval_tokens)
        if not batches:
            return
        scores = held_out_scores(objective, batches, execution=self.execution, processes=self.processes)
        record = self._record(state, scores)
        if self.processes.is_main:
            self.folder.log({"event": "evaluation", **record})
        self.teller.say(
            f"step {state.step:,}, {state.tokens:,} tokens: held-out loss {scores.mlm_loss:.3f}, "
            f"accuracy {scores.mlm_accuracy:.2f}; order {scores.sop_loss:.3f}, {scores.sop_accuracy:.2f}"
        )
        self._keep("model")

    def _record(self, state: PretrainState, scores: PretrainScores) -> dict[str, Any]:
        stage = self.stages.stages[state.stage]
        place = {"layers": stage.layers, "length": stage.length}
        record = {"step": state.step, "training_tokens": state.tokens, **place, **scores.to_dict()}
        state.evaluations.append(record)
        return record

    def _keep(self, name: str) -> None:
        if self.processes.is_main:
            save_model(self.model, self.folder.path / name)

    def _score_all(self, objective: nn.Module, state: PretrainState) -> tuple[PretrainScores, int]:
        length = self.stages.stages[-1].length
        batches = scored_batches(self.held_out, max_length=length, most=None)
        if batches:
            with self.teller.bar("scoring held-out text", total=1) as advance:
                scores = held_out_scores(objective, batches, execution=self.execution, processes=self.processes)
                advance(1)
            self._record(state, scores)
            return scores, scores.tokens
        sample = [pending for pending, _ in islice(self.stream.batches(), 20)]
        return held_out_scores(objective, sample, execution=self.execution, processes=self.processes), 0
