import threading

import pytest

from convscope.data.folders.folder import read_folder
from convscope.data.pictures.bulk import Decoding, choose_shape, in_parallel, survey
from convscope.data.pictures.decode import Header
from convscope.data.preparation import Preparation


def test_results_come_in_order_and_few_ahead():
    started = []

    def work(start):
        started.append(start)
        return start * 10

    results = in_parallel(work, range(0, 5000, 5))
    assert [next(results) for _ in range(3)] == [0, 50, 100]
    assert len(started) <= 3 + 2 * 16
    results.close()
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPoolExecutor")]
    assert not threads, "who stops asking stops the work"
    assert list(in_parallel(work, range(0, 40, 7))) == [0, 70, 140, 210, 280, 350]


def test_an_error_in_a_thread_reaches_the_caller():
    def work(start):
        raise MemoryError

    with pytest.raises(MemoryError):
        list(in_parallel(work, range(3)))


def test_the_shape_is_chosen_by_the_stated_rule():
    small, large, wide = Header(20, 20, True), Header(300, 300, True), Header(40, 90, False)
    assert choose_shape([small] * 3, None) == ((1, 20, 20), ())
    assert choose_shape([wide] * 3, None) == ((3, 40, 90), ())
    assert choose_shape([large] * 3, None)[0] == (1, 64, 64)
    assert choose_shape([small, small, wide], None)[0] == (3, 20, 20)
    assert choose_shape([small, wide, wide], None)[0] == (3, 64, 64)
    assert choose_shape([small, small, wide], 33)[0] == (3, 33, 33)
    assert choose_shape([large] * 3, 300) == ((1, 300, 300), ())


def test_bad_files_are_listed_and_the_others_decoded(make_folder, grey):
    """What `check` needs: nothing stops at the first bad file."""
    root = make_folder({"a/0.png": b"junk", "a/1.png": grey(5), "a/2.png": b"\x89PNG\r\n\x1a\n", "a/3.png": grey(7)})
    paths = sorted(root.glob("a/*"))
    headers, bad = survey(paths)
    assert sorted(headers) == [1, 3]
    assert sorted(bad) == [0, 2]
    decoding = Decoding(paths, Preparation((1, 6, 6)), bad)
    assert decoding.in_memory("a", thin=True)[:, 0, 0, 0].tolist() == [0, 5, 0, 7]
    assert sorted(decoding.bad) == [0, 2]


def test_without_a_terminal_nothing_is_printed(make_folder, grey, capfd):
    read_folder(make_folder({"a/1.png": grey(1), "b/2.png": grey(2)}))
    assert capfd.readouterr() == ("", "")
