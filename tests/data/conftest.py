"""No test here touches the user's cache or the network."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("CONVSCOPE_CACHE", str(folder))
    monkeypatch.setenv("CONVSCOPE_OFFLINE", "1")
    return folder


@pytest.fixture
def make_folder(tmp_path):
    """make_folder({"train/cat/1.png": image or bytes, ...}) writes an image folder and returns its path."""

    def make(files, name="pets"):
        root = tmp_path / name
        root.mkdir()
        for path, content in files.items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                target.write_bytes(content)
            else:
                content.save(target)
        return root

    return make


@pytest.fixture
def grey():
    """grey(value, (width, height)) → an evenly grey Pillow image of mode L."""
    return lambda value, size=(6, 6): Image.fromarray(np.full(size[::-1], value, dtype=np.uint8))
