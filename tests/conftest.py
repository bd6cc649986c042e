"""What all tests share: determinism, one thread, and the real MNIST where it is."""

import gc
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, register_random, settings

from convscope.report.curves import draw_curves
from convscope.report.style import save_figure

# One random stream for everybody and no deadlines: a test that fails once fails always, and a slow machine is no fault.
settings.register_profile(
    "convscope",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("convscope")


class TorchRandom:
    """PyTorch's own random stream, which an example begins as it begins Python's: first weights do not depend on what
    was tested before. PyTorch itself is imported by the tests that need it."""

    def seed(self, number):
        if "torch" in sys.modules:
            sys.modules["torch"].default_generator.manual_seed(number)  # torch.manual_seed writes down who called it

    def getstate(self):
        return sys.modules["torch"].get_rng_state() if "torch" in sys.modules else None

    def setstate(self, state):
        if state is not None:
            sys.modules["torch"].set_rng_state(state)


TORCH_RANDOM = TorchRandom()  # hypothesis keeps a weak reference only
register_random(TORCH_RANDOM)

# Data beside the checkout are found by the commands and the labs that tests start, too.
if "CONVSCOPE_DATA" not in os.environ and Path("../shared/data").is_dir():
    os.environ["CONVSCOPE_DATA"] = str(Path("../shared/data").resolve())

os.environ["CONVSCOPE_LANG"] = "en"  # whatever the locale of the machine; set before helpers keep the environment

# The cores are shared by files of tests. A second thread in each would mostly wait for its turn, and burn processor
# time meanwhile; tests that are about threads ask for them. PyTorch reads this when it is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A suite that a script starts in the background (nohup, &) inherits signals that are ignored; so would its children.
for name in ("SIGINT", "SIGHUP", "SIGTERM"):
    if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) == signal.SIG_IGN:
        signal.signal(getattr(signal, name), signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL)

# Tests start the command hundreds of times: without bytecode each start compiles 300 modules, which takes 0.3 s.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-dev-shm-usage",
    "--js-flags=--no-opt,--single-threaded",  # pages are short: code that was made fast is hardly used again
    "--use-fake-device-for-media-stream",  # a camera for those who ask for one
    "--use-fake-ui-for-media-stream",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # a request to anywhere else fails, and is seen
]


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Compiled programs and decoded images are kept for this session alone: the user's cache stays as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONVSCOPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))  # the key that programs are signed with
        yield


@pytest.fixture(scope="session", autouse=True)
def quick_curves():
    """The picture of a finished run takes four times as long as the small trainings of these tests: it is one pixel.

    Processes that a test starts draw it, and so do the tests that look at it: they ask for ``drawn_curves``.
    """
    from convscope import job

    from .helpers import save_pixel

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "draw_curves", lambda *_: None)
        patch.setattr(job, "save_figure", save_pixel)
        yield


@pytest.fixture
def drawn_curves(monkeypatch):
    """A finished run's picture is drawn."""
    monkeypatch.setattr("convscope.job.draw_curves", draw_curves)
    monkeypatch.setattr("convscope.job.save_figure", save_figure)


@pytest.fixture(scope="module", autouse=True)
def own_garbage():
    """What a file of tests leaves open, such as a pipe, is an error there, and in no test that happens to run later."""
    gc.freeze()  # what is there already need not be looked through again: 0.2 s for each file
    yield
    gc.collect()


@pytest.fixture
def mnist_dir():
    """The folder with the real MNIST; the test skips where there is none."""
    from .helpers import real_mnist

    return real_mnist()


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip("needs Chromium on the PATH")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


# Files that take more than some ten seconds go first, so that the cores end together: the shorter the last file, the
# less a core waits for the other. pytest-xdist hands files out in this order (--no-loadscope-reorder).
LONG = ("lab/", "faults/", "engine/", "distributed/", "cli/", "python/", "test_install.py", "test_names.py")


def pytest_collection_modifyitems(items):
    tests = Path(__file__).parent

    def place(item):
        path = item.path.relative_to(tests).as_posix()
        return next((i for i, start in enumerate(LONG) if path.startswith(start)), len(LONG))

    items.sort(key=place)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """What is collected is kept: to look for garbage among it takes a second or two of each process."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_unconfigure():
    """pytest looks five times for what was left open: through what is new, once it has been looked through here."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """One worker more than cores: tests of pages and of processes wait for half of their time."""
    return len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1) + 1


def pytest_make_parametrize_id(val):
    """Long values name a test by how long they are: names stay readable, and equal in every process that collects."""
    if isinstance(val, bytes):
        return f"{len(val)}-bytes"
    if isinstance(val, str) and len(val) > 100:
        return f"{val[:60]}…{len(val)}"
    return None
