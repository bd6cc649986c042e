"""Imports of PyTorch and the garbage collector."""

import gc
import subprocess
import sys

from convscope.storage.loading import loading

from ..helpers import ENVIRONMENT


def test_what_is_loaded_is_not_looked_through_again_and_garbage_of_later_is():
    script = (
        "import gc, weakref\n"
        "from convscope.storage.loading import loading\n"
        "with loading():\n"
        "    assert not gc.isenabled()\n"
        "    import torch\n"
        "assert gc.isenabled() and gc.get_freeze_count() > 100_000\n"
        "class Ring: pass\n"
        "ring = Ring(); ring.itself = ring; gone = weakref.ref(ring); del ring\n"
        "gc.collect()\n"
        "assert gone() is None\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr


def test_an_import_that_fails_leaves_the_collector_on(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    try:
        with loading():
            raise ImportError
    except ImportError:
        pass
    finally:
        gc.unfreeze()
    assert gc.isenabled()


def test_where_torch_is_there_nothing_is_done():
    import torch  # noqa: F401

    before = gc.get_freeze_count()
    with loading():
        assert gc.isenabled()
    assert gc.get_freeze_count() == before
