"""Frozen encoder: it runs once per text, and its outputs are cached on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from albertkit.batching.batch import Sequence as TokenSequence
from albertkit.inference.predictor import Predictor
from albertkit.inference.running import Progress, run_per_sequence
from albertkit.io.files import atomic_file, cache_folder


def feature_key(predictor: Predictor, sequences: Sequence[TokenSequence], *, pooling: str) -> str:
    """Return a name for the features: a digest of weights, tokens (and so text and length), pooling and precision."""
    digest = hashlib.sha256(f"{pooling} {predictor.execution.precision} {predictor.model.config}".encode())
    for name, tensor in sorted(predictor.model.network.encoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
    for sequence in sequences:
        digest.update(len(sequence).to_bytes(4, "little"))
        digest.update(np.ascontiguousarray(sequence.input_ids).tobytes())
        digest.update(np.ascontiguousarray(sequence.token_type_ids).tobytes())
    return digest.hexdigest()


def cached_features(
    predictor: Predictor,
    sequences: Sequence[TokenSequence],
    *,
    pooling: str = "pooler",
    progress: Progress | None = None,
) -> tuple[npt.NDArray[np.float32], bool]:
    """Return features `[sequences, hidden]`, from the cache or by one pass of the encoder.

    Args:
        predictor: the encoder.
        sequences: tokenised texts.
        pooling: `pooler`, `cls` or `mean`.
        progress: called with the number of sequences just finished.

    Returns:
        The features, and whether they came from the cache.

    Raises:
        WriteError: the cache cannot be written.
    """
    path = cache_folder("features") / f"{feature_key(predictor, sequences, pooling=pooling)}.npy"
    hidden = predictor.model.config.hidden_size
    if path.is_file():
        try:
            found: npt.NDArray[np.float32] = np.load(path, allow_pickle=False)
            if found.shape == (len(sequences), hidden) and found.dtype == np.float32:
                return found, True
        except (OSError, ValueError, EOFError):
            pass  # a corrupt cache is computed again
    features = run_per_sequence(predictor.runtime, sequences, output=pooling, progress=progress)
    with atomic_file(path) as temporary, open(temporary, "wb") as file:
        np.save(file, features)
    return features, False
