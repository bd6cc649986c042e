"""Parsing while other threads parse: what disturbs CPython's parser does not reach the reader of a file."""

import ast
import io

import numpy as np
import pytest
from numpy.lib import format as npy

from convscope.data.literal import read_array
from convscope.data.readers.npz import read_npz
from convscope.explain.backprop.expression import read_value
from convscope.storage.literals import TRIES, parsed, read_npy_header

DISTURBED = SystemError("AST constructor recursion depth mismatch (before=78, after=75)")


def disturbed(function, times):
    """``function``, of which the first calls do their work and then fail as CPython 3.11 does."""
    left = [times]

    def call(*given, **named):
        result = function(*given, **named)
        if left[0]:
            left[0] -= 1
            raise DISTURBED
        return result

    return call


def test_it_is_parsed_once_more():
    assert parsed(disturbed(lambda: 7, TRIES - 1)) == 7


def test_what_is_never_parsed_says_so():
    with pytest.raises(SystemError, match="recursion depth mismatch"):
        parsed(disturbed(lambda: 7, TRIES))


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_a_header_is_read_from_its_place(monkeypatch, version):
    file = io.BytesIO()
    npy.write_array(file, np.arange(6.0).reshape(2, 3), version)
    name = f"read_array_header_{version[0]}_0"
    monkeypatch.setattr(npy, name, disturbed(getattr(npy, name), 2))
    file.seek(0)
    assert read_npy_header(file) == ((2, 3), False, np.dtype(float))
    assert file.read() == np.arange(6.0).tobytes()


def test_data_are_read_whatever_disturbs_the_parser(monkeypatch, tmp_path):
    images, labels = np.arange(8 * 16, dtype=np.uint8).reshape(8, 4, 4), np.arange(8) % 2
    np.savez_compressed(tmp_path / "data.npz", images=images, labels=labels)
    np.save(tmp_path / "array.npy", np.eye(3))
    monkeypatch.setattr(npy, "read_array_header_1_0", disturbed(npy.read_array_header_1_0, 1))
    monkeypatch.setattr(np, "load", disturbed(np.load, 1))
    assert np.array_equal(read_npz(tmp_path / "data.npz").train.images[:, 0], images)
    assert np.array_equal(read_array(str(tmp_path / "array.npy"), "x"), np.eye(3))


def test_an_expression_is_read_whatever_disturbs_the_parser(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(ast, "parse", disturbed(ast.parse, 1))
        values = read_value("[1, 2]")
    assert values.tolist() == [1, 2]
