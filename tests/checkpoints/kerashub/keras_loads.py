"""Load a preset with KerasHub itself and save what it computes; run by an interpreter that has keras-hub.

    KERAS_BACKEND=torch python keras_loads.py CLASS PRESET INPUTS.npz OUTPUTS.npz

CLASS is AlbertBackbone, AlbertTextClassifier or AlbertMaskedLM. With SAVE as a fifth argument the loaded model is saved
there as a preset of KerasHub's own.
"""

import sys

import numpy as np


def main(name, preset, inputs, outputs, save=None):
    import keras_hub  # here, so that a program that looks for tests can import this file

    loaded = getattr(keras_hub.models, name).from_preset(preset)
    arrays = np.load(inputs)
    features = {
        "token_ids": arrays["input_ids"],
        "segment_ids": arrays["segment_ids"],
        "padding_mask": arrays["input_mask"],
    }
    if name == "AlbertMaskedLM":
        batch, length = arrays["input_ids"].shape
        features["mask_positions"] = np.tile(np.arange(length), (batch, 1))
    result = loaded(features)
    result = result if isinstance(result, dict) else {"logits": result}
    np.savez(outputs, **{key: value.detach().cpu().numpy() for key, value in result.items()})
    if save:
        loaded.save_to_preset(save)


if __name__ == "__main__":
    main(*sys.argv[1:])
