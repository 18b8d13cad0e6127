"""Agreement: whether the processes of several machines are about to train the same network on the same data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import albertkit
from albertkit.config import AlbertConfig
from albertkit.errors import DataError, RunError, UsageError
from albertkit.hardware.device import Execution
from albertkit.training.processes import Processes
from albertkit.training.shared_settings import SharedSettings

# Each machine may have files elsewhere, and do its share of the work in its own way.
_OWN = frozenset({"data", "data_dir", "unlabelled", "teacher", "out", "model", "config", "device", "threads", "workers",
                  "compile", "gradient_checkpointing", "save_seconds", "track", "plots"})  # fmt: skip


def check_agreement(
    processes: Processes,
    settings: SharedSettings,
    *,
    out: str,
    config: AlbertConfig,
    inputs: Mapping[str, Any],
    execution: Execution,
    begun: bool,
) -> None:
    """Compare the plans of all processes; paths may differ, the files there may not.

    Args:
        processes: the processes after the rendezvous, not yet connected.
        settings: the complete settings.
        out: the run directory.
        config: the network's configuration.
        inputs: digests of what is read, by name, as the run folder keeps them.
        execution: the chosen device and precision.
        begun: whether this process sees a run to resume.

    Raises:
        DataError: the inputs differ.
        UsageError: the settings, the network, the version, the device or the precision differ.
        RunError: the first process does not see the run to resume.
    """
    seen = {
        "name": processes.name,
        "begun": begun,
        "inputs": dict(inputs),
        "facts": {
            "albertkit's version": albertkit.__version__,
            "device": execution.device.split(":")[0],
            "precision": execution.precision,
            "the network": config.to_dict(),
            **{name: value for name, value in settings.to_dict().items() if name not in _OWN},
        },
    }
    everyone = processes.gather("agreement", seen)
    first = everyone[0]
    for other in everyone[1:]:
        for name, value in first["inputs"].items():
            if other["inputs"].get(name) != value:
                raise DataError(
                    f"the {name} differ between {first['name']} and {other['name']}; copy the same files to every "
                    "machine, or share them"
                )
        _compare(first, other)
    elsewhere = [other["name"] for other in everyone if other["begun"]]
    if elsewhere and not first["begun"]:
        raise RunError(
            f"{out}: {elsewhere[0]} sees the run to resume, but {first['name']}, which now reads and writes "
            "it, does not; share that folder between the machines, or copy it there"
        )


def _compare(first: dict[str, Any], other: dict[str, Any]) -> None:
    for name, value in first["facts"].items():
        theirs = other["facts"].get(name)
        if theirs == value:
            continue
        what, ours, others = name.replace("_", "-"), value, theirs
        if isinstance(value, dict) and isinstance(theirs, dict):
            key = next(key for key in value if theirs.get(key) != value[key])
            what, ours, others = f"{name}'s {key}", value[key], theirs.get(key)
        raise UsageError(
            f"{what} is {ours} for {first['name']} and {others} for {other['name']}; start every process with the "
            "same command and the same files"
        )
