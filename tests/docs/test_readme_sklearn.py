"""The ten lines on scikit-learn that the README shows."""

from __future__ import annotations

from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[2] / "README.md"
SCRIPT = next(part for part in README.read_text(encoding="utf-8").split("```python\n")[1:] if "sklearn" in part)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # 200 sentences are few
def test_the_script_runs(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(SCRIPT.partition("```")[0], "README.md", "exec"), {})
    mean, probabilities = capfd.readouterr().out.splitlines()
    assert 0.3 < float(mean) < 1
    assert probabilities.startswith("[[0.")
    assert list(tmp_path.iterdir()) == []
