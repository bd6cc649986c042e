import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from convscope.errors import DataError
from convscope.storage.memory import available_memory, require_memory, size_text

needs_limits = pytest.mark.skipif(sys.platform != "linux", reason="limits on the address space are enforced there")


def limited(code, megabytes):
    """Run ``code`` with so much more address space than the imports took; returns what it printed."""
    program = f"""
import resource
from pathlib import Path
import numpy as np
from PIL import Image
Image.init()
from convscope.data.sources import open_source
from convscope.errors import DataError
import tqdm
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + {megabytes} * 10**6, resource.RLIM_INFINITY))
try:
    {code}
except DataError as error:
    print(error)
"""
    result = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not result.stderr, result.stderr
    return result.stdout


def test_sizes_as_people_say_them():
    assert [size_text(n) for n in (0, 999, 47_040_016, 10**10, 10**16)] == [
        "0 bytes",
        "999 bytes",
        "47.0 MB",
        "10.0 GB",
        "10,000.0 TB",
    ]


def test_what_fits_is_let_through_and_what_does_not_is_refused():
    require_memory(1, "a byte")
    free = available_memory()
    assert free is None or free > 10**6
    with pytest.raises(DataError, match=r"everything needs 1,000\.0 TB of memory, but .* are free"):
        require_memory(10**15, "everything")


@needs_limits
def test_an_array_beyond_the_limit_is_refused_with_its_size(tmp_path):
    np.savez_compressed(
        tmp_path / "big.npz", images=np.zeros((30_000, 100, 100), np.uint8), labels=np.zeros(30_000, int)
    )
    text = limited(f"open_source({str(tmp_path / 'big.npz')!r})", megabytes=200)
    assert "big.npz needs 300.0 MB of memory, but" in text


@needs_limits
def test_a_folder_beyond_the_limit_is_refused_with_its_size_or_mapped(tmp_path, cache):
    for part in ("train", "test"):
        for name in "ab":
            folder = tmp_path / "many" / part / name
            folder.mkdir(parents=True)
            Image.new("RGB", (256, 256), "red").save(folder / "0.png")
            for number in range(1, 250):
                (folder / f"{number}.png").hardlink_to(folder / "0.png")
    open_it = f"print(open_source({str(tmp_path / 'many')!r}).train.images.shape)"
    # 1,000 images of 196,608 bytes. Decoding streams them to the disk; only to map them takes address space.
    assert "many needs 196.6 MB of address space, but" in limited(open_it, megabytes=190)
    assert limited(open_it, megabytes=600) == "(500, 3, 256, 256)\n"
    assert "the copy of decoded images needs 196.6 MB of address space" in limited(open_it, megabytes=190)
