"""Fixtures of the tests of KerasHub's format."""

from __future__ import annotations

import pytest

from albertkit.checkpoints.kerashub import keras_hdf5


@pytest.fixture
def child() -> None:
    """Let HDF5 work in a process of its own, as it does outside these tests."""


@pytest.fixture(autouse=True)
def _hdf5_here(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the tests of healthy files the start of a process for each of them."""
    if "child" not in request.fixturenames:
        from albertkit.checkpoints.kerashub.keras_hdf5_child import listed

        monkeypatch.setattr(keras_hdf5, "_ask", lambda path: listed(str(path)))
