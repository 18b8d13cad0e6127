"""Fine-tune as torchrun's processes do, and die after some steps: `python stopped.py SETTINGS.json STEPS`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from albertkit.training.finetune import finetune
from albertkit.training.loop import Step
from albertkit.training.settings import FinetuneSettings
from albertkit.training.state import State


def main(settings: str, steps: str) -> None:
    """Train from, or continue, what the settings say."""
    count = State.count

    def counted(self: State[Step], step: Step) -> None:
        if self.step == int(steps):
            os._exit(9)
        count(self, step)

    State.count = counted  # type: ignore[assignment,method-assign]
    finetune(FinetuneSettings.from_dict(json.loads(Path(settings).read_text())), resume=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
