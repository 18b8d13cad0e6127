"""Predictor: text in, predictions or vectors out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from albertkit.data.examples import TextExample
from albertkit.data.frames import frame_of
from albertkit.data.texts import InputError, examples_of, texts_of
from albertkit.errors import UsageError
from albertkit.hardware.device import Execution, choose_execution
from albertkit.inference.exported import exported_folder, load_exported
from albertkit.inference.running import FloatArray, Progress, Runtime, run_outputs, run_per_sequence
from albertkit.io.vectors import cut, unit
from albertkit.models.loaded import ExportedNetwork, Model, announce
from albertkit.models.trained_columns import trained_columns
from albertkit.tasks.encoded import Encoded, unit_logits
from albertkit.tasks.exit_rules import ExitRule
from albertkit.tasks.head_spec import HeadSpec
from albertkit.tasks.pooling import check_pooling
from albertkit.tasks.prediction_rows import prediction_columns
from albertkit.tasks.task import Task
from albertkit.tasks.truncation import Truncation


class Predictor:
    """A model ready for text.

    Args:
        model: network, tokenizer, task.
        execution: device and precision; default: `auto`.
        runtime: what runs the network; default: torch.
    """

    def __init__(self, model: Model, *, execution: Execution | None = None, runtime: Runtime | None = None) -> None:
        self.model = model
        self.execution = execution or choose_execution()
        if runtime is None:
            from albertkit.inference.pytorch import runtime_of  # here, since exported models run without torch

            runtime = runtime_of(model, self.execution)
        self.runtime: Runtime = runtime
        self.truncation = Truncation()
        """How many of the texts so far were longer than the model reads."""

    @classmethod
    def load(
        cls, name: str | os.PathLike[str], *, execution: Execution | None = None, fixed_weights: bool = False
    ) -> Predictor:
        """Load a run directory, a model folder, an exported one, or a known model.

        An exported model runs on the processor, in fp32, and needs no torch.

        Args:
            name: what to load.
            execution: device and precision; `auto` when left out.
            fixed_weights: whether nobody changes the weights afterwards: a short text then takes less time.

        Raises:
            UsageError, CheckpointError: as `models.pretrained.load_model` and `inference.exported.load_exported`.
        """
        exported = exported_folder(name)
        if exported is not None:
            threads = (execution or choose_execution(device="cpu", precision="fp32")).threads
            execution = Execution("cpu", "fp32", threads)
            model, runtime = load_exported(exported, execution=execution)
            announce(model.notes)
            return cls(model, execution=execution, runtime=runtime)
        try:
            from albertkit.inference.pytorch import runtime_of
            from albertkit.models.pretrained import load_model
        except ModuleNotFoundError as error:
            if error.name != "torch":
                raise
            raise UsageError(f"{name} is not an exported model, so it needs torch: pip install torch") from error
        model = load_model(name)
        announce(model.notes)
        execution = execution or choose_execution()
        return cls(model, execution=execution, runtime=runtime_of(model, execution, fixed_weights=fixed_weights))

    def __repr__(self) -> str:
        task = self.model.task
        head = "no task head" if task is None else f"{task.name}, pooling={self.model.head.pooling!r}"
        return f"Predictor({self.model.source!r}, {head}, labels={self.model.labels})"

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.model.labels

    @property
    def trained_columns(self) -> dict[str, str]:
        """The columns that the run was told to train on (`models.trained_columns`); none of what is no run."""
        return trained_columns(self.model.source)

    def logits(
        self, examples: Sequence[TextExample], *, max_length: int | None = None, progress: Progress | None = None
    ) -> FloatArray:
        """Return the task head's logits `[examples, outputs]`.

        Raises:
            UsageError: the model has no task head, or max_length is more than its positions.
        """
        encoded = self.encode(examples, max_length=max_length)
        return unit_logits(run_outputs(self.runtime, encoded.sequences, progress=progress), encoded)

    def encode(self, examples: Sequence[Any], *, max_length: int | None = None) -> Encoded:
        """Return examples as the task has them tokenised.

        Raises:
            UsageError: the model has no task head, its head reads two texts and an example has one, or max_length is
                more than its positions.
        """
        length = self._length(max_length)
        encoded = self._task().encode(self.model.tokenizer, examples, max_length=length)
        if self.model.head.pooling == "pair" and not all(one.token_type_ids.any() for one in encoded.sequences):
            raise UsageError(
                "this model compares two texts: give a second text with each (pair, or in a table the pair column)"
            )
        self.truncation += Truncation.of(encoded, max_length=length)
        return encoded

    def predict_examples(
        self, examples: Sequence[Any], *, max_length: int | None = None, progress: Progress | None = None
    ) -> list[Mapping[str, Any]]:
        """Return one prediction an example, in the task's own keys.

        Raises:
            UsageError: see `encode`.
        """
        encoded = self.encode(examples, max_length=max_length)
        outputs = run_outputs(self.runtime, encoded.sequences, progress=progress)
        return self._task().predictions(outputs, encoded, examples, labels=self.model.labels)

    def predict(
        self,
        texts: str | Sequence[str | tuple[str, str]] | Any,
        *,
        text_column: str | None = None,
        pair_column: str | None = None,
        progress: Progress | None = None,
    ) -> list[Mapping[str, Any]]:
        """Return one prediction a text: `{text, label, probabilities}` or the task's own keys.

        Args:
            texts: a text, or several: a list, an array or a column of a table; a tuple of two texts is a pair. Or a
                table (pandas, polars, pyarrow, Hugging Face datasets) of texts, or of pairs in two columns.
            text_column: of a table: the column of the (first) text; if None that of the run's training, else one with
                a usual name.
            pair_column: of a table: the column of the second text; the same.
            progress: called with the number of texts just finished.

        Raises:
            InputError: `texts` has rows that are no texts, or another shape; the sentence names them.
            UsageError: the model has no task head.
        """
        rows = examples_of(
            [texts] if isinstance(texts, str) else texts,
            name="texts",
            text_column=text_column,
            pair_column=pair_column,
            trained=None if isinstance(texts, str | list | tuple) else self.trained_columns,
        )
        task = self._task()
        decoded = self.predict_examples([task.example_of(row.text, row.pair) for row in rows], progress=progress)
        return [
            {"text": row.text, **({} if row.pair is None else {"pair": row.pair}), **prediction}
            for row, prediction in zip(rows, decoded, strict=True)
        ]

    def predict_frame(
        self,
        frame: Any,
        *,
        text_column: str | None = None,
        pair_column: str | None = None,
        progress: Progress | None = None,
    ) -> Any:
        """Return a table of the same library with the columns of the predictions: label, probability_LABEL, ..

        Args:
            frame: a table of pandas, polars, pyarrow or Hugging Face datasets.
            text_column: the column of the (first) text; chosen as by `predict` if None.
            pair_column: the column of the second text.
            progress: called with the number of texts just finished.

        Raises:
            InputError: no table, no column of texts, or rows that are no texts; the sentence names them.
            UsageError: the model has no task head.
        """
        found = frame_of(frame, name="frame")
        if found is None:
            raise InputError(f"frame is a {type(frame).__name__}; give a table, or call predict for a list of texts")
        rows = self.predict(frame, text_column=text_column, pair_column=pair_column, progress=progress)
        return found.with_columns(prediction_columns(rows, existing=found.names))

    def embed(
        self,
        texts: str | Sequence[str] | Any,
        *,
        text_column: str | None = None,
        pooling: str | None = None,
        dimensions: int | None = None,
        max_length: int | None = None,
        progress: Progress | None = None,
    ) -> FloatArray:
        """Return one vector a text, `[texts, dimensions]`.

        Args:
            texts: a text, or several: a list, an array, a column of a table, or a table of texts.
            text_column: of a table: the column of the text; one with a usual name if None.
            pooling: `mean` of the last hidden states, the first token's (`cls`), or the `pooler`'s output;
                `default_pooling` when left out. A Dense map that the model declares follows the declared pooling only.
            dimensions: cut the vectors to this size and scale them to length 1; one of `sizes`.
            max_length: longest input in tokens; default: the model's own.
            progress: called with the number of texts just finished.

        Raises:
            InputError: `texts` has rows that are no texts, or another shape; the sentence names them.
            UsageError: an unknown pooling, dimensions that the model was not trained for, or max_length is more than
                the model's positions.
        """
        pooling = pooling or self.default_pooling
        check_pooling(pooling)
        self.require_size(dimensions, pooling=pooling)
        rows = texts_of([texts] if isinstance(texts, str) else texts, name="texts", text_column=text_column)
        length = self._length(max_length)
        sequences = self.model.tokenizer.sequences(rows, max_length=length)
        self.truncation += Truncation.of(Encoded.one_each(sequences), max_length=length)
        if not sequences:
            return np.zeros((0, dimensions or self.dimensions(pooling)), np.float32)
        pooled = run_per_sequence(self.runtime, sequences, output=pooling, progress=progress)
        return self.vectors_from(pooled, pooling=pooling, dimensions=dimensions)

    def vectors_from(self, pooled: FloatArray, *, pooling: str, dimensions: int | None = None) -> FloatArray:
        """Return pooled features `[.., hidden]` as the vectors that `embed` gives, `[.., dimensions]`.

        They pass the map that the model's files declare for this pooling, and get length 1 where the files say so or
        they are cut.
        """
        spec = self.model.embedding
        dense = None if spec is None else spec.dense_after(pooling)
        vectors = pooled if dense is None else dense(pooled)
        if dimensions not in (None, vectors.shape[-1]):
            return cut(vectors, dimensions)
        return unit(vectors) if spec is not None and spec.normalize else vectors

    def sizes(self, pooling: str | None = None) -> tuple[int, ...]:
        """Return the numbers of dimensions that vectors may have: what they were trained to be cut to, and the whole.

        They were trained with one pooling; those of another have one size.
        """
        task = self.model.task
        trained = None if task is None or pooling not in (None, self.default_pooling) else task.dimensions
        return (*(trained or ()), self.dimensions(pooling))

    def require_size(self, dimensions: int | None, *, pooling: str | None = None, name: str = "") -> None:
        """Refuse dimensions that the model was not trained for: nobody measured what such vectors are worth.

        Args:
            dimensions: what was asked for.
            pooling: of the vectors.
            name: what the sentence calls the model; its source if empty.

        Raises:
            UsageError: names the sizes that there are.
        """
        *trained, whole = self.sizes(pooling)
        if dimensions in (None, whole, *trained):
            return
        sizes = f"{', '.join(map(str, trained))} or {whole}" if trained else f"{whole}, or leave dimensions out"
        advice = "" if trained else f" (finetune --task similarity --dimensions {dimensions} trains shorter ones)"
        raise UsageError(
            f"{name or self.model.source} was not trained to give vectors of {dimensions} dimensions; give "
            f"{sizes}{advice}"
        )

    def dimensions(self, pooling: str | None = None) -> int:
        """Return the number of dimensions of the vectors that `embed` gives for a pooling, or when it is not told."""
        spec = self.model.embedding
        dense = None if spec is None else spec.dense_after(pooling or self.default_pooling)
        return self.model.config.hidden_size if dense is None else dense.out_features

    @property
    def default_pooling(self) -> str:
        """What `embed` takes when it is not told, see `Model.vectors`."""
        return self.model.vectors.pooling

    def _task(self) -> Task:
        if self.model.task is None:
            name = self.model.source
            raise UsageError(
                f"{name} has no task head; fine-tune it first: albertkit finetune --model {name} --data DATA"
            )
        return self.model.task

    def _length(self, max_length: int | None) -> int:
        longest = self.model.config.max_position_embeddings
        chosen = self.model.max_length if max_length is None else max_length
        if chosen > longest:
            raise UsageError(
                f"the max length is {chosen}, but {self.model.source} has {longest} positions; give {longest} or less"
            )
        return chosen

    def early_exit(self, rule: ExitRule) -> Predictor:
        """Return a predictor from whose layers texts leave as the rule says; it shares the network.

        Its `runtime.mean_layers` says how many layers a text has passed on average.

        Raises:
            UsageError: the model was not fine-tuned with exits, is an exported one, or cannot follow the rule.
        """
        task = self._task()
        if isinstance(self.model.network_or_export, ExportedNetwork):
            raise UsageError(f"{self.model.source} is an exported model, which has no exits; use the run itself")
        from albertkit.inference.early_exit import EarlyExitRuntime

        runtime = EarlyExitRuntime(
            self.model.network,
            execution=self.execution,
            task=task,
            pooling=self.model.head.pooling,
            rule=rule,
            source=self.model.source,
        )
        return Predictor(self.model, execution=self.execution, runtime=runtime)

    def replace_head(
        self,
        *,
        labels: Sequence[str],
        task: str = "classification",
        hidden: Sequence[int] = (),
        norm: str = "none",
        pooling: str = "pooler",
    ) -> Predictor:
        """Return a predictor with a fresh head on the same encoder and pooler.

        Raises:
            UsageError: an unknown task or pooling, or an unsupported head.
        """
        from albertkit.models.pretrained import with_task_head

        model = with_task_head(self.model, task=task, labels=labels, head=HeadSpec(tuple(hidden), norm, pooling))
        return Predictor(model, execution=self.execution)
