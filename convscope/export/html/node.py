"""The page's own JavaScript, run by Node on images."""

import base64
import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import TrainingError

RUNNER = Path(__file__).parent / "static" / "runner.mjs"
SECONDS = 400


@dataclass(frozen=True)
class Question:
    """A page; ``images`` uint8 (N, C, H, W) prepared, for the net; ``pictures`` uint8 (H, W, 4), to be prepared."""

    page: str
    images: NDArray[np.uint8] | None = None
    pictures: Sequence[NDArray[np.uint8]] = field(default_factory=tuple)


def node() -> str | None:
    """Node, where this machine has it."""
    return shutil.which("node")


def ask(questions: Sequence[Question]) -> list[dict[str, Any]]:
    """For every question probabilities (N, K), prepared pictures, seconds. Raises TrainingError where Node fails."""
    found = node()
    assert found is not None
    with tempfile.TemporaryDirectory(prefix="convscope-html-") as name:
        folder, asked = Path(name), []
        for number, question in enumerate(questions):
            (folder / f"{number}.html").write_text(question.page, encoding="utf-8")
            told: dict[str, Any] = {"page": f"{number}.html"}
            if question.images is not None:
                (folder / f"{number}.images").write_bytes(question.images.tobytes())
                told["images"] = f"{number}.images"
            told["pictures"] = [
                {"height": p.shape[0], "width": p.shape[1], "rgba": base64.b64encode(p.tobytes()).decode()}
                for p in question.pictures
            ]
            asked.append(told)
        (folder / "questions.json").write_text(json.dumps(asked))
        command = [found, str(RUNNER), "questions.json"]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise TrainingError(f"the exported page could not be tried: {error}", "--no-verify writes it") from None
    if done.returncode:
        said = " / ".join(done.stderr.strip().splitlines()[:4])[:400]
        raise TrainingError(f"the exported page does not run in Node: {said}", "--no-verify writes it all the same")
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers
