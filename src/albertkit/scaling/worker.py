"""Code that runs on a worker: one model, one slice of the input after the other. Does not import Ray."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from albertkit.datasets.lines import Slice
from albertkit.datasets.text_files import Piece, TextFile
from albertkit.errors import AlbertkitError, DataError
from albertkit.hardware.device import choose_execution
from albertkit.inference.predictor import Predictor
from albertkit.io.file_digests import sha256_of
from albertkit.io.files import write_text
from albertkit.io.vectors import MadeBy, open_vectors
from albertkit.scaling.folder import JOURNAL
from albertkit.scaling.job import Job
from albertkit.tasks.truncation import Truncation


class PartWorker:
    """Makes parts; the model is loaded with the first.

    Args:
        job: what is to be done.
        size: size of the input in bytes, as the driver sees it.
    """

    def __init__(self, job: Job, size: int) -> None:
        self.job, self.size = job, size
        self.texts = TextFile(job.input, job.columns)
        self.predictor: Predictor | None = None

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Make one part.

        Args:
            row: `name` of the part; `start`, `end` and `first` of the slice.

        Returns:
            What the journal keeps of the part, plus `blank` texts, `truncation` and `error`: a sentence, or "". The
            error is not raised, because Ray would retry the part or print a long traceback.
        """
        started = {"name": str(row["name"]), "rows": 0, "bytes": 0, "sha256": "", "precision": "", "dimensions": 0}
        worker = f"{socket.gethostname()}:{os.getpid()}"
        result: dict[str, Any] = {**started, "blank": 0, "truncation": {}, "worker": worker, "error": ""}
        try:
            result |= self._make(str(row["name"]), Slice(int(row["start"]), int(row["end"]), int(row["first"])))
        except AlbertkitError as error:
            result["error"] = str(error)
        return result

    def _make(self, name: str, part: Slice) -> dict[str, Any]:
        if self.predictor is None:
            self._require_shared()
            execution = choose_execution(device=self.job.device, precision=self.job.precision, threads=self.job.threads)
            self.predictor = Predictor.load(self.job.model, execution=execution)
        piece = self.texts.read(part)
        target = self.job.output / name
        self.predictor.truncation = Truncation()
        made = self._embed if self.job.verb == "embed" else self._predict
        dimensions = made(self.predictor, piece, target)
        return {
            "rows": len(piece.texts),
            "bytes": target.stat().st_size,
            "sha256": sha256_of(target),
            "precision": self.predictor.execution.precision,
            "dimensions": dimensions,
            "blank": sum(not text.strip() for text in piece.texts),
            "truncation": self.predictor.truncation.to_dict(),
        }

    def _embed(self, predictor: Predictor, piece: Piece, target: Path) -> int:
        job = self.job
        assert job.pooling is not None
        assert job.max_length is not None
        vectors = predictor.embed(
            piece.texts, pooling=job.pooling, dimensions=job.dimensions, max_length=job.max_length
        )
        made_by = MadeBy(job.model, job.pooling, job.max_length)
        with open_vectors(target, dimensions=vectors.shape[1], made_by=made_by) as write:
            write(vectors, piece.texts, piece.others)
        return int(vectors.shape[1])

    def _predict(self, predictor: Predictor, piece: Piece, target: Path) -> int:
        predictions = predictor.predict(piece.inputs) if piece.texts else []
        write_text(target, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in predictions))
        return 0

    def _require_shared(self) -> None:
        """Raise an error at once if this node does not see the files that the driver sees."""
        node = socket.gethostname()
        shared = "input and output must lie on a file system that all nodes share under the same path"
        try:
            size = self.job.input.stat().st_size
        except OSError as error:
            reason = error.strerror or error
            raise DataError(f"{self.job.input}: cannot be read on node {node} ({reason}); {shared}") from error
        if size != self.size:
            raise DataError(f"{self.job.input}: {size} bytes on node {node}, {self.size} on the driver's; {shared}")
        if not (self.job.output / JOURNAL).is_file():
            raise DataError(f"{self.job.output}: node {node} does not see what the driver wrote there; {shared}")
