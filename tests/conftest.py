"""What all tests share: determinism, one thread, and the real MNIST where it is."""

import gc
import os
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# One random stream for everybody and no deadlines: a test that fails once fails always, and a slow machine is no fault.
settings.register_profile(
    "convscope",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("convscope")

os.environ["CONVSCOPE_LANG"] = "en"  # whatever the locale of the machine; set before helpers keep the environment

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
    "--use-fake-device-for-media-stream",  # a camera for those who ask for one
    "--use-fake-ui-for-media-stream",
]


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Compiled programs and decoded images are kept for this session alone: the user's cache stays as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONVSCOPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))  # the key that programs are signed with
        yield


@pytest.fixture(scope="module", autouse=True)
def own_garbage():
    """What a file of tests leaves open, such as a pipe, is an error there, and in no test that happens to run later."""
    gc.freeze()  # what is there already need not be looked through again: 0.2 s for each file
    yield
    gc.collect()


@pytest.fixture
def mnist_dir():
    """The folder with the four real MNIST files; the test skips where there is none."""
    folder = Path(os.environ.get("CONVSCOPE_DATA", "../shared/data")) / "mnist"
    if not (folder / "train-images-idx3-ubyte.gz").exists():
        pytest.skip("needs the real MNIST: set CONVSCOPE_DATA to a folder that holds mnist/")
    return folder


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip("needs Chromium on the PATH")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


def pytest_make_parametrize_id(val):
    """Long values name a test by how long they are: names stay readable, and equal in every process that collects."""
    if isinstance(val, bytes):
        return f"{len(val)}-bytes"
    if isinstance(val, str) and len(val) > 100:
        return f"{val[:60]}…{len(val)}"
    return None
