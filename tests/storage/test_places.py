"""One cache for programs and pixels, and switches that are read in one way."""

import os
import stat
import subprocess
import sys

import pytest

from convscope.engine.jit.machine.cache import default_folder
from convscope.errors import UsageError
from convscope.storage import places

from ..helpers import ENVIRONMENT, run_cli

posix = pytest.mark.skipif(os.name == "nt", reason="Windows knows no HOME and no modes")


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    for name in ("CONVSCOPE_CACHE", "CONVSCOPE_OFFLINE", "CONVSCOPE_DATA", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    places._temporary.cache_clear()
    yield tmp_path / "home"
    places._temporary.cache_clear()


@posix
def test_programs_and_pixels_have_one_root(monkeypatch, home, tmp_path):
    if sys.platform == "linux":
        assert places.cache_dir() == home / ".cache" / "convscope"
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
        assert places.cache_dir() == tmp_path / "x" / "convscope"
    for chosen, place in ((str(tmp_path / "c"), tmp_path / "c"), ("~/c", home / "c")):
        monkeypatch.setenv("CONVSCOPE_CACHE", chosen)
        assert places.cache_dir() == place
        assert default_folder() == place / "programs"


@pytest.fixture
def homeless(monkeypatch, tmp_path):
    """No HOME, and a user whom the machine does not know; returns the folder for temporary files."""
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # what it does then
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@posix
@pytest.mark.parametrize("chosen", [None, "~/c", "~nobody-of-that-name/c"])
def test_without_a_home_the_cache_is_a_private_temporary_folder(monkeypatch, homeless, chosen):
    if chosen:
        monkeypatch.setenv("CONVSCOPE_CACHE", chosen)
    place = places.cache_dir()
    assert place == homeless / f"convscope-{os.getuid()}"
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    places._temporary.cache_clear()
    assert places.cache_dir() == place, "the next process finds what this one kept"


@posix
@pytest.mark.parametrize("spoil", ["open", "link", "file", "no folder"])
def test_a_temporary_folder_that_is_not_private_is_not_used(monkeypatch, homeless, spoil, tmp_path):
    place = homeless / f"convscope-{os.getuid()}"
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    if spoil == "open":
        place.mkdir()
        place.chmod(0o777)
    elif spoil == "link":
        place.symlink_to(tmp_path / "elsewhere")
    elif spoil == "file":
        place.touch()
    else:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
    assert places.cache_dir() == places.NOWHERE
    with pytest.raises(OSError, match="Not a directory"):
        places.NOWHERE.mkdir(parents=True)


@posix
def test_a_process_without_a_home_trains(tmp_path):
    """Before: "Could not determine home directory" as a traceback, for every run of the jit engine."""
    program = (
        "import os, pwd, sys\n"
        "def unknown(uid): raise KeyError(uid)\n"
        "pwd.getpwuid = unknown\n"
        "from convscope.cli import main\n"
        "main(['train', 'digits', '--net', 'conv 2 3 | linear', '--epochs', '1', '--engine', 'jit', '-q'])\n"
    )
    environment = {k: v for k, v in ENVIRONMENT.items() if k not in ("HOME", "CONVSCOPE_CACHE", "XDG_CACHE_HOME")}
    environment |= {"TMPDIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert (tmp_path / f"convscope-{os.getuid()}" / "programs").is_dir()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", True),
        ("true", True),
        ("Yes", True),
        ("ON", True),
        ("", False),
        ("0", False),
        ("false", False),
        ("No", False),
        (" off ", False),
    ],
)
def test_a_switch_is_yes_or_no(monkeypatch, text, value):
    monkeypatch.setenv("CONVSCOPE_OFFLINE", text)
    assert places.is_offline() is value
    assert places.is_offline(True) is True


def test_anything_else_is_refused_by_every_verb_that_reads_data(monkeypatch, capsys):
    monkeypatch.setenv("CONVSCOPE_OFFLINE", "maybe")
    with pytest.raises(UsageError, match="the environment variable CONVSCOPE_OFFLINE is 'maybe'"):
        places.is_offline(True)
    for verb in (("train", "digits"), ("check", "digits")):
        code, _, err = run_cli(capsys, *verb)
        assert (code, "it must be 1, true, yes, on for yes, or 0, false, no, off for no" in err) == (2, True)


def test_paths_of_the_user_never_raise(home):
    assert places.user_path("~/a") == home / "a"
    assert str(places.user_path("~nobody-of-that-name/a")) == "~nobody-of-that-name/a"
    assert str(places.user_path("a\0b")) == "a\ufffdb"


def test_runs_may_lie_below_the_home(home, monkeypatch, tmp_path, capsys):
    """Before: --out '~/x', quoted, made a folder called ~."""
    monkeypatch.chdir(tmp_path)
    code, out, err = run_cli(capsys, "train", "digits", "--net", "linear", "--epochs", "1", "-q", "--out", "~/mine")
    assert (code, out.strip()) == (0, str(home / "mine" / "custom-digits-1")), err
    assert not (tmp_path / "~").exists()
    assert run_cli(capsys, "evaluate", "~/mine/custom-digits-1")[0] == 0
    assert "custom-digits-1" in run_cli(capsys, "runs", "--out", "~/mine")[1]
