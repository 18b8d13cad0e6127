"""Distil: from a teacher's vectors of texts to a run directory with its student, report and curves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from albertkit.checkpoints.dense import Dense
from albertkit.errors import RunError, UsageError
from albertkit.hardware.device import Execution, set_seed
from albertkit.io.locks import locked
from albertkit.io.progress import Progress, Silent
from albertkit.models.card import CardFacts, short
from albertkit.models.loaded import EmbeddingSpec, Model
from albertkit.models.pretrained import save_model
from albertkit.tasks.distillation.objective import DistillObjective
from albertkit.tasks.network import Network
from albertkit.training.agreement import check_agreement
from albertkit.training.checks import training_execution
from albertkit.training.digest import content_digest
from albertkit.training.distillation.batches import DistillBatches
from albertkit.training.distillation.inputs import Source, batches_of, read_source, with_masks
from albertkit.training.distillation.maps import fit_maps, map_of_the_mean
from albertkit.training.distillation.report import DistillReport
from albertkit.training.distillation.settings import KEEPING_RATE, RATE, DistillSettings
from albertkit.training.distillation.steps import (
    DistillScores,
    DistillStep,
    held_out_scores,
    step_event,
    step_info,
    train_step,
)
from albertkit.training.distillation.student import begin_with_pieces, check_dimensions, starting_student
from albertkit.training.distillation.widening import begin_with_path, extra_dimensions, notes_on_rate, widened
from albertkit.training.optimizers import build_optimizer
from albertkit.training.processes import Processes, join_processes, on_own_device
from albertkit.training.repeating import repeating_command
from albertkit.training.run import Run
from albertkit.training.run_folder import RunFolder, one_writer
from albertkit.training.schedules import Schedule, check_schedule
from albertkit.training.shares import Shares, chosen_workers
from albertkit.training.state import TokenState
from albertkit.training.token_report import finish, shared_figures
from albertkit.training.tracking import Tracking

BETAS = (0.9, 0.98)


def distill(settings: DistillSettings, *, resume: bool = False, progress: Progress | None = None) -> DistillReport:
    """Train a student's vectors towards a teacher's, and write the run directory.

    Under torchrun all processes call this with the same settings; the first writes and reports.

    Args:
        settings: what to do.
        resume: continue a run that was stopped; its weights end as if it had not been.
        progress: gets the progress reports; silent by default.

    Raises:
        UsageError, DataError, CheckpointError, ConfigError: the settings, the texts, the teacher or the student cannot
            be used.
        MissingExtraError: the teacher needs a library that is not installed.
        RunError: the run directory exists or cannot continue, or the loss is no number any more.
        WriteError: the system refused a file.
    """
    with join_processes() as processes, ExitStack() as held:
        with processes.together("preparation"):
            execution = on_own_device(training_execution(settings, to="distil", refused=("fp16",)))
            check_schedule(settings.schedule)
            if processes.is_main:  # the others write nothing
                held.enter_context(locked(settings.out))
            own = progress or Silent() if processes.is_main else Silent()
            tracking = held.enter_context(Tracking(settings.track if processes.is_main else (), own))
            opened = partial(Run, execution, progress=own, tracking=tracking, shares=Shares(processes))
            prepared = _Distillation.prepare(settings, execution, processes, resume=resume, opened=opened)
        check_agreement(
            processes,
            prepared.settings,
            out=settings.out,
            config=prepared.student.config,
            inputs=prepared.inputs,
            execution=execution,
            begun=RunFolder(settings.out).is_begun and resume,
        )
        processes.connect(execution.device)
        return prepared.shared_out().report()


@dataclass(frozen=True)
class _Distillation:
    """What the parts of one run share."""

    settings: DistillSettings
    steps: int
    """Optimizer steps, by the settings and the texts."""
    run: Run
    student: Model
    checkpoint: Network
    """The starting model's: the student's own, or what was widened to it."""
    source: Source
    first_map: Dense | None
    """Of the mean, where the starting model brought one into a space of as many dimensions."""
    inputs: dict[str, Any]
    """Digests of what the run reads."""

    @classmethod
    def prepare(
        cls,
        settings: DistillSettings,
        execution: Execution,
        processes: Processes,
        *,
        resume: bool,
        opened: Callable[[RunFolder], Run],
    ) -> _Distillation:
        """Check everything that can be checked before the teacher begins; nothing is written."""
        set_seed(settings.seed)  # of a pooler that the checkpoint may lack
        student = starting_student(settings)
        source, steps = read_source(settings, student.tokenizer, execution)
        start = settings.start
        if source.teacher is None and start in ("teacher", "widen"):
            raise UsageError(
                f"{settings.teacher} holds vectors and cannot embed the student's pieces; pass --start keep"
            )
        if start is None:
            start = "teacher" if settings.config is not None and source.teacher is not None else "keep"
        checkpoint = student.network
        if start == "teacher":
            check_dimensions(settings.teacher, source.dimensions, checkpoint.config)
        if start == "widen":
            extra = extra_dimensions(
                checkpoint.config, source.dimensions, teacher=settings.teacher, wanted=settings.extra_dimensions
            )
            settings = replace(settings, extra_dimensions=extra)
            notes = (*student.notes, *notes_on_rate(settings.learning_rate or KEEPING_RATE))
            student = replace(student, network_or_export=widened(checkpoint, extra), notes=notes)
        settings = replace(settings, start=start)
        weights = dict(checkpoint.state_dict())
        first_map = None if student.embedding is None or start != "keep" else student.embedding.dense
        if first_map is not None and first_map.out_features != source.dimensions:
            first_map = None
        if first_map is not None:
            weights |= {"map.weight": torch.from_numpy(first_map.weight), "map.bias": torch.from_numpy(first_map.bias)}
        if settings.learning_rate is None:
            keeps = start == "widen" or first_map is not None
            settings = replace(settings, learning_rate=KEEPING_RATE if keeps else RATE)
        inputs = {
            "texts": {"number": len(source.train), "content": source.train.digest()},
            "held-out texts": {"number": len(source.held_out), "content": source.held_out.digest()},
            "teacher": source.digest,
            "weights of the starting model": content_digest(weights),
        }
        folder = None
        if processes.is_main:  # the others need not see the directory
            kept = {**settings.to_dict(), "processes": processes.world}
            folder = RunFolder.open(settings.out, kept, resume=resume, inputs=inputs)
        run = opened(one_writer(processes, folder, device=execution.device))
        return cls(settings, steps, run, student, checkpoint, source, first_map, inputs)

    def shared_out(self) -> _Distillation:
        """Choose how many workers each process has."""
        settings, run = self.settings, self.run
        workers = chosen_workers(
            run.folder.recorded("parallel", settings.parallel),
            execution=run.execution,
            config=self.student.config,
            processes=run.shares.processes,
            step_tokens=float(self.source.train.lengths.mean()) * settings.batch_size,
        )
        return replace(self, run=replace(run, shares=replace(run.shares, workers=workers)))

    def report(self) -> DistillReport:
        """Train to the end and write what came out."""
        settings, network, source, run = self.settings, self.student.network, self.source, self.run
        run.note((*run.folder.notes, *self.student.notes, *source.notes))
        network.to(run.execution.torch_device)
        set_seed(settings.seed)
        objective = DistillObjective(network, dimensions=source.dimensions, with_pretraining=settings.pretraining)
        objective.to(run.execution.torch_device)
        optimizer = build_optimizer(
            "adamw",
            [objective],
            weight_decay=settings.weight_decay,
            betas=BETAS,
            rate_factors={
                network.encoder.embeddings.word.weight: settings.word_rate,
                **dict.fromkeys(network.encoder.groups.parameters(), settings.layer_rate),
            },
        )
        state = TokenState[DistillStep](objective, optimizer)
        restored = state.restore(run.folder)
        processes, device = run.shares.processes, run.execution.torch_device
        with processes.together("start"), processes.main_first("vectors"):
            run.begin({**settings.to_dict(), **run.shares.to_dict()}, step=state.step)
            vectors = source.vectors(source.train, progress=run.progress, what="the teacher's vectors")
            scored = source.vectors(
                source.held_out, progress=run.progress, what="the teacher's vectors, held-out texts"
            )
        plain = batches_of(source.train, vectors, self.student.tokenizer, settings)
        held_out = batches_of(source.held_out, scored, self.student.tokenizer, settings)
        if not restored:
            with processes.together("fill"):
                if processes.is_main:
                    self._fill(objective, plain)
            objective.load_state_dict(processes.broadcast(objective.state_dict(), device=device))
        # Fresh positions that no text reaches would stay random.
        batches = replace(plain, num_positions=network.config.max_position_embeddings)
        masked = None
        if settings.pretraining:
            batches = self._masked(batches, settings.mlm_probability)
            masked = self._masked(held_out, 0.15)
        score = partial(
            held_out_scores, objective, plain=held_out, masked=masked, execution=run.execution, processes=processes
        )
        objective.train()
        for _ in run.follow(
            self._steps(objective, state, batches),
            state,
            what="distilling",
            total=self.steps,
            save_seconds=settings.save_seconds,
            event=partial(step_event, state),
            info=step_info,
        ):
            every = max(1, round(self.steps * settings.eval_share))
            if state.step % every == 0 and state.step < self.steps:
                self._evaluate(objective, state, score())
        report = DistillReport(
            scores=score(),
            teacher=settings.teacher,
            teacher_dimensions=source.dimensions,
            texts=len(source.train),
            held_out_texts=len(source.held_out),
            data=list(settings.data),
            model=settings.model or f"{settings.config} (fresh weights)",
            notes=(*self.student.notes, *source.notes),
            command=settings.to_dict(),
            **shared_figures(state, run),
        )
        if processes.is_main:
            texts = {"train": len(source.train), "held out": len(source.held_out)}
            card = CardFacts(
                base=settings.model or "",
                data=", ".join(map(short, settings.data)),
                command=repeating_command("distill", settings, suffix="", shown=short),
                examples=texts,
                limits=(
                    f"The vectors follow those of {short(settings.teacher)}: cosine "
                    f"{report.scores.vector_cosine:.4f} on held-out texts.",
                ),
            )
            command = repeating_command("distill", settings)
            finish(report, run, save=partial(self._save, objective, card=card), command=command)
        return report

    def _fill(self, objective: DistillObjective, plain: DistillBatches) -> None:
        """Initialize the word embeddings and the maps."""
        settings, run, network, tokenizer = self.settings, self.run, self.student.network, self.student.tokenizer
        what = "the teacher's vectors of single pieces"
        of_pieces = partial(self.source.computed, progress=run.progress, what=what)
        if settings.start == "teacher":
            begin_with_pieces(network, tokenizer, self.source.train, vectors=of_pieces)
        if settings.start == "widen":
            self.checkpoint.to(run.execution.torch_device)
            begin_with_path(network, tokenizer, plain, checkpoint=self.checkpoint, vectors=of_pieces)
            self.checkpoint.cpu()  # a GPU needs it no longer
        if settings.model is not None:  # fresh vectors are alike in all directions
            if self.first_map is not None:
                run.note([f"the map into the teacher's space starts from that of {settings.model}"])
            fit_maps(objective, plain, execution=run.execution, mean=self.first_map)

    def _masked(self, batches: DistillBatches, share: float) -> DistillBatches:
        tokenizer, positions = self.student.tokenizer, batches.num_positions
        return with_masks(batches, tokenizer, mlm_probability=share, num_positions=positions)

    def _steps(
        self, objective: DistillObjective, state: TokenState[DistillStep], batches: DistillBatches
    ) -> Iterator[DistillStep]:
        settings = self.settings
        warmup = round(self.steps * settings.warmup)
        assert settings.learning_rate is not None  # chosen by `prepare`
        rate = Schedule(settings.schedule, peak=settings.learning_rate, total_steps=self.steps, warmup_steps=warmup)
        while state.step < self.steps:
            step = train_step(
                objective,
                state.optimizer,
                batches.at(state.step),
                settings,
                learning_rate=rate(state.step),
                execution=self.run.execution,
                shares=self.run.shares,
                seed=settings.seed * 1_000_003 + state.step,
            )
            if not step.is_finite:
                raise RunError(
                    f"{settings.out}: the loss of step {state.step + 1:,} is not finite; start again with a "
                    f"lower --learning-rate, such as {settings.learning_rate / 3:.1g}, and another --out"
                )
            yield step

    def _evaluate(self, objective: DistillObjective, state: TokenState[DistillStep], scores: DistillScores) -> None:
        record = {"step": state.step, "training_tokens": state.tokens, **scores.to_dict()}
        state.evaluations.append(record)
        self.run.log({"event": "evaluation", **record})
        figures = f"cosine {scores.vector_cosine:.4f} (pooler {scores.pooler_vector_cosine:.4f})"
        if scores.mlm_accuracy is not None:
            figures += f", masked words {scores.mlm_accuracy:.1f} %, order {scores.sop_accuracy:.1f} %"
        self.run.progress.report(f"step {state.step:,}, {state.tokens:,} tokens: held-out {figures}")
        if self.run.shares.processes.is_main:
            self._save(objective, self.run.folder.path / "model")

    def _save(self, objective: DistillObjective, folder: Path, card: CardFacts | None = None) -> None:
        """Write the student; its vector is the mean, mapped into the teacher's space."""
        embedding = EmbeddingSpec("mean", dense=map_of_the_mean(objective))
        save_model(replace(self.student, embedding=embedding), folder, card=card)
