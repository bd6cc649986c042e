"""The chapter on one's own photos is run as it is written, on crops of two photographs that scikit-learn brings."""

import re
import shlex
from pathlib import Path

import numpy as np
from PIL import Image

from .helpers import original_weights, run_cli
from .test_tour import commands, pattern, printed, wide  # noqa: F401 - a fixture

CHAPTER = Path(__file__).parent.parent / "docs" / "photos.md"


def write_photos(folder: Path) -> None:
    """40 crops of 100 to 160 pixels of each of two photographs, as JPEG."""
    from sklearn.datasets import load_sample_image

    random = np.random.default_rng(0)
    for name in ("china", "flower"):
        photo = Image.fromarray(load_sample_image(f"{name}.jpg"))
        (folder / name).mkdir(parents=True)
        for number in range(40):
            side = int(random.integers(100, 161))
            left, top = (int(random.integers(0, size - side)) for size in photo.size)
            photo.crop((left, top, left + side, top + side)).save(folder / name / f"{name}-{number:02}.jpg")


def test_the_chapter_prints_what_it_shows(tmp_path, monkeypatch, capsys, wide):  # noqa: F811
    original_weights()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONVSCOPE_OFFLINE", "1")
    write_photos(tmp_path / "my-photos")
    found = commands(CHAPTER.read_text())
    assert len(found) == 5
    for command, shown in found:
        program, *arguments = shlex.split(command)
        assert program == "convscope"
        code, out, err = run_cli(capsys, *arguments)
        assert code == 0, f"{command}\n{err}"
        assert re.fullmatch(pattern(shown), printed(err + out)), f"{command}\nprinted\n{err}{out}"


def test_its_links_are_there():
    for target in re.findall(r"\]\(((?!http)[^)#]+)\)", CHAPTER.read_text()):
        assert (CHAPTER.parent / target).exists(), target
