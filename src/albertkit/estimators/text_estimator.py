"""TextEstimator: what every estimator shares: X holds texts, and a pickle holds the model as files."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator

from albertkit.errors import check_arguments
from albertkit.estimators.saving import model_bytes, model_from_bytes
from albertkit.inference.predictor import Predictor


class TextEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """An estimator whose `predictor_` is a model, once it is fitted."""

    def __new__(cls, *_: Any, **named: Any) -> Any:
        """Refuse a misspelt setting before `__init__` does, by the nearest name."""
        check_arguments(named, cls._get_param_names(), of=cls.__name__)
        return super().__new__(cls)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: settings, arrays, and the model's files as bytes (safetensors and JSON)."""
        state = dict(super().__getstate__())
        if "predictor_" in state:
            state["predictor_"] = model_bytes(state["predictor_"].model)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take over what was pickled; the model goes to the GPU where there is one."""
        if "predictor_" in state:
            model = model_from_bytes(state["predictor_"], source=str(state["model"]))
            state = {**state, "predictor_": Predictor(model)}
        super().__setstate__(state)

    def __sklearn_tags__(self) -> Any:
        """Return tags that say that X holds texts."""
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags
