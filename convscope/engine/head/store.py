"""Features of images, kept in the user's cache: what an image is and which net looked at it → its numbers.

One SQLite file, which is whole or rolled back after any crash, and which several processes may use at once. It is a
help, not a need: where it cannot be read or written, everything is computed again.
"""

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...storage.places import cache_dir

Row = NDArray[np.float32]
LARGEST = 400_000_000  # bytes of all rows: some 50,000 images
SPARED = 0.8  # of that stays when the oldest are thrown away
PART = 500  # keys in one question
ERRORS = (sqlite3.Error, OSError)


def path() -> Path:
    """The file."""
    return cache_dir() / "features.sqlite"


def read(keys: Sequence[bytes]) -> dict[bytes, Row]:
    """The rows that are there, by their keys. A row that was damaged is none."""
    found: dict[bytes, Row] = {}
    with contextlib.suppress(*ERRORS), _opened() as store:
        for start in range(0, len(keys), PART):
            part = keys[start : start + PART]
            marks = ",".join("?" * len(part))
            for key, row in store.execute(f"SELECT key, row FROM features WHERE key IN ({marks})", part):
                if not len(row) % 4:
                    found[key] = np.frombuffer(row, dtype="<f4")
            store.execute(f"UPDATE features SET used = ? WHERE key IN ({marks})", (time.time(), *part))
    return found


def write(rows: dict[bytes, Row]) -> None:
    """Keep ``rows``; where all together would be larger than LARGEST, the ones that were used least lately go."""
    with contextlib.suppress(*ERRORS), _opened() as store:
        now = time.time()
        store.executemany(
            "INSERT OR REPLACE INTO features VALUES (?, ?, ?)",
            [(key, row.astype("<f4").tobytes(), now) for key, row in rows.items()],
        )
        size, count = store.execute("SELECT coalesce(sum(length(row)), 0), count(*) FROM features").fetchone()
        if size > LARGEST:
            gone = int(count * (1 - SPARED * LARGEST / size))
            store.execute("DELETE FROM features WHERE key IN (SELECT key FROM features ORDER BY used LIMIT ?)", (gone,))


@contextlib.contextmanager
def _opened() -> Iterator[sqlite3.Connection]:
    """The file, open, within one transaction. A file that is no database is removed."""
    file = path()
    file.parent.mkdir(parents=True, exist_ok=True)
    store = sqlite3.connect(file, timeout=5)
    try:
        with store:
            store.execute("CREATE TABLE IF NOT EXISTS features (key BLOB PRIMARY KEY, row BLOB, used REAL)")
            yield store
    except sqlite3.DatabaseError as error:
        if not isinstance(error, sqlite3.OperationalError):  # such as locked, or a full disk
            file.unlink(missing_ok=True)
        raise
    finally:
        store.close()
