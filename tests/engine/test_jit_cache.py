"""Compiled programs on disk: reused, private, never trusted when damaged."""

import hashlib
import os
import stat
from pathlib import Path

import llvmlite.binding as llvm
import pytest
import torch

from convscope.engine.jit import JitPredictor
from convscope.engine.jit.block import Learning
from convscope.engine.jit.graph import graph
from convscope.engine.jit.machine.cache import ObjectCache, default_folder
from convscope.engine.jit.machine.host import Code, Machine, compile_object, machine
from convscope.engine.jit.optimizers import Rule
from convscope.engine.jit.program import Program
from convscope.net.build import build
from convscope.net.zoo import resolve
from convscope.storage.places import _temporary

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")


def only(folder):
    """The one entry in ``folder``."""
    (path,) = folder.iterdir()
    return path


def test_entries_come_back_whole(tmp_path):
    cache = ObjectCache(tmp_path / "programs")
    assert cache.load("key") is None
    cache.save("key", b"code")
    assert cache.load("key") == b"code"
    assert cache.load("other") is None
    assert only(cache.folder).suffix == ".bin"


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data[:10],
        lambda data: b"",
        lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:],
        lambda data: bytes([data[0] ^ 1]) + data[1:],
        lambda data: hashlib.sha256(b"key\0code").digest() + b"code",  # what anybody can compute is no signature
    ],
)
def test_a_damaged_entry_is_removed_and_built_again(tmp_path, damage):
    cache = ObjectCache(tmp_path)
    cache.save("key", b"some machine code")
    path = only(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    assert cache.load("key") is None
    assert not path.exists()


def test_an_entry_under_a_foreign_name_is_not_used(tmp_path):
    cache = ObjectCache(tmp_path)
    cache.save("key", b"code")
    first = only(tmp_path)
    cache.save("other", b"code")
    (second,) = set(tmp_path.iterdir()) - {first}
    first.replace(second)
    assert cache.load("other") is None


@posix
def test_folder_and_files_are_the_users_alone(tmp_path):
    cache = ObjectCache(tmp_path / "programs")
    cache.save("key", b"code")
    assert stat.S_IMODE(cache.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(only(cache.folder).stat().st_mode) == 0o600
    only(cache.folder).chmod(0o620)  # others can have written it
    assert cache.load("key") is None


@posix
def test_a_folder_that_is_open_to_others_is_neither_trusted_nor_changed(tmp_path):
    cache = ObjectCache(tmp_path / "programs")
    cache.save("key", b"code")
    cache.folder.chmod(0o777)
    assert cache.load("key") is None
    cache.save("more", b"code")
    assert len(list(cache.folder.iterdir())) == 1
    assert stat.S_IMODE(cache.folder.stat().st_mode) == 0o777
    cache.folder.chmod(0o700)
    assert cache.load("key") == b"code"  # the signature says that it is what we wrote


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_somebody_else_is_not_loaded(tmp_path):
    cache = ObjectCache(tmp_path)
    cache.save("key", b"code")
    os.chown(only(tmp_path), 65534, 65534)
    assert cache.load("key") is None


@posix
def test_a_link_in_the_place_of_folder_or_entry_is_not_followed(tmp_path):
    real, base = ObjectCache(tmp_path / "real"), tmp_path / "base"
    real.save("key", b"code")
    real.folder.chmod(0o755)
    base.symlink_to(real.folder)
    linked = ObjectCache(base)
    assert linked.load("key") is None
    linked.save("more", b"code")
    assert stat.S_IMODE(real.folder.stat().st_mode) == 0o755
    assert len(list(real.folder.iterdir())) == 1
    kept = only(real.folder).rename(tmp_path / "kept")
    (real.folder / f"{hashlib.sha256(b'key').hexdigest()}.bin").symlink_to(kept)
    assert real.load("key") is None
    assert kept.exists()


@posix
@pytest.mark.parametrize(
    "make",
    [
        os.mkfifo,
        lambda path: Path(path).symlink_to("/dev/zero"),
        lambda path: Path(path).mkdir(),
        lambda path: Path(path).symlink_to(path),
        lambda path: os.truncate(os.open(path, os.O_WRONLY | os.O_CREAT), 2**40),
    ],
    ids=["pipe", "endless", "folder", "loop", "huge"],
)
def test_what_stands_in_the_place_of_an_entry_or_of_the_key_ends_as_none(tmp_path, monkeypatch, make):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    cache = ObjectCache(tmp_path / "programs")
    cache.save("key", b"code")
    only(cache.folder).unlink()
    make(cache.folder / f"{hashlib.sha256(b'key').hexdigest()}.bin")
    assert cache.load("key") is None
    key = only(tmp_path / "state" / "convscope")
    key.unlink()
    make(key)
    again = ObjectCache(tmp_path / "programs")
    again.save("other", b"code")
    assert again.load("other") == (None if key.is_dir() else b"code")


@posix
def test_a_key_that_others_may_know_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    cache = ObjectCache(tmp_path / "programs")
    cache.save("key", b"code")
    key = only(tmp_path / "state" / "convscope")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    known = key.read_bytes()
    key.chmod(0o644)
    assert ObjectCache(tmp_path / "programs").load("key") is None
    assert key.read_bytes() != known
    key.write_bytes(b"short")
    ObjectCache(tmp_path / "programs").save("key", b"code")
    assert len(key.read_bytes()) == 32


def test_a_folder_that_cannot_be_made_costs_only_time(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    cache = ObjectCache(blocked / "programs")
    cache.save("key", b"code")
    assert cache.load("key") is None


@posix
def test_without_a_home_programs_are_kept_in_a_private_temporary_folder(monkeypatch, tmp_path):
    for name in ("CONVSCOPE_CACHE", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # so it is without HOME and passwd entry
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    _temporary.cache_clear()
    try:
        ObjectCache().save("key", b"code")
        assert ObjectCache().load("key") == b"code"
        assert stat.S_IMODE(only(tmp_path).stat().st_mode) == 0o700
        only(tmp_path).chmod(0o777)
        assert ObjectCache().load("key") is None
    finally:
        _temporary.cache_clear()


def test_the_oldest_entries_go(tmp_path, monkeypatch):
    monkeypatch.setattr("convscope.engine.jit.machine.cache.MOST", 3)
    cache = ObjectCache(tmp_path)
    for n in range(5):
        cache.save(str(n), b"code")
        os.utime(tmp_path / f"{hashlib.sha256(str(n).encode()).hexdigest()}.bin", (n, n))
        if n >= 1:
            assert cache.load("0") == b"code"  # used again and again: kept
    assert [n for n in range(5) if cache.load(str(n))] == [0, 3, 4]


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setenv("CONVSCOPE_CACHE", str(tmp_path))
    assert default_folder() == tmp_path / "programs"
    if os.name != "nt":
        monkeypatch.delenv("CONVSCOPE_CACHE")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
        assert default_folder() == tmp_path / "x" / "convscope" / "programs"


def test_a_program_is_compiled_once_and_a_damaged_one_again(tmp_path):
    net = build(resolve("conv 2 3 | relu | linear"), (1, 8, 8), 3)
    images = torch.arange(64 * 30, dtype=torch.uint8).view(30, 1, 8, 8)  # more than a few

    def scores():
        predictor = JitPredictor(net, (1, 8, 8), (0.1,), (0.3,), cache_dir=tmp_path)
        result = predictor.logits(images)
        return result, [loaded.code.cached for loaded in predictor._core.loaded.values()]

    first, cached = scores()
    assert cached == [False, False]
    again, cached = scores()
    assert cached == [True, True]
    assert torch.equal(first, again)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-9] + b"\0" * 9)
    again, cached = scores()
    assert cached == [False, False]
    assert torch.equal(first, again)


def test_the_key_holds_cpu_and_text(tmp_path):
    text = "define void @f() {\n  ret void\n}\n"
    host = machine()
    assert not Code(text, host, tmp_path).cached
    assert Code(text, host, tmp_path).cached
    assert not Code(text + "\n; another text", host, tmp_path).cached
    assert not Code(text, machine(machine_isa()), tmp_path).cached


@pytest.mark.parametrize("spec", ["conv 3 3 | pool 2 | relu | conv 4 3 padding=1 | tanh | avgpool 2 | linear"])
@pytest.mark.parametrize("alone", [False, True])
def test_programs_for_arm_compile(spec, alone):
    """No ARM machine runs these tests, but LLVM can write for one: the program's text must be good for it, too."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    host = Machine("neon", "generic", "+neon")
    net = build(resolve(spec), (1, 12, 12), 3)
    learning = None if alone else Learning("cross-entropy", Rule("adam", 0.0, False, (0.9, 0.999), 0.0))
    lanes = host.alone() if alone else host.lanes(32, 144)
    program = Program(graph(net, (1, 12, 12), not alone), lanes, [0.01], [-0.3], learning, host.pause)
    target = llvm.Target.from_triple("aarch64-unknown-linux-gnu").create_target_machine(cpu=host.cpu, opt=2)
    code = compile_object(program.text, target)
    assert code[:4] == b"\x7fELF"
    assert int.from_bytes(code[18:20], "little") == 183  # EM_AARCH64
    assert b"predict" in code


def machine_isa() -> str:
    from convscope.engine.jit.machine.host import available

    return available()[-1]
