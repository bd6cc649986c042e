"""Parquet files: their columns, and the pictures in their rows. Read by pyarrow (``convscope[parquet]``)."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import DataError

ENDING = ".parquet"
IMAGES = ("image", "img", "picture", "pixels", "image_bytes", "bytes", "jpg", "png")  # columns, the likeliest first
LARGEST_GROUP = 2_000_000_000  # bytes of one row group, which is read at once
ROWS = 256  # at a time
MOST_CELLS = 20_000_000


@dataclass(frozen=True)
class Columns:
    """The names of a file's columns in their order, the one that holds pictures (None: none does), and for columns of
    class numbers the names that Hugging Face's ``ClassLabel`` gives them.
    """

    names: tuple[str, ...]
    picture: str | None
    labels: dict[str, tuple[str, ...]]


def columns(path: Path) -> Columns:
    """The columns of a Parquet file. Raises DataError where pyarrow is missing, and for what is no such file."""
    with _opened(path) as file:
        schema = file.schema_arrow
        pictures = [field.name for field in schema if _holds_bytes(field.type)]
        likely = [name for name in IMAGES if name in (found.lower() for found in pictures)]
        chosen = next((found for name in likely for found in pictures if found.lower() == name), None)
        chosen = chosen or (pictures[0] if len(pictures) == 1 else None)
        return Columns(tuple(schema.names), chosen, _class_names(schema.metadata or {}))


def cells(path: Path, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """The rows of these columns, as Python's own values. Raises DataError as :func:`columns` does."""
    with _opened(path) as file:
        if file.metadata.num_rows * len(names) > MOST_CELLS:
            raise DataError(
                f"the table {path} has {file.metadata.num_rows:,} rows", "that is more than are read as a table"
            )
        for batch in file.iter_batches(columns=list(names)):
            yield from zip(*(batch.column(name).to_pylist() for name in names), strict=True)


def pictures(path: Path) -> Iterator[bytes]:
    """The file in each row's picture, encoded as it is; empty where there is none."""
    name = columns(path).picture
    with _opened(path) as file:
        for batch in file.iter_batches(batch_size=ROWS, columns=[name]):
            for cell in batch.column(name).to_pylist():
                content = cell.get("bytes") if isinstance(cell, dict) else cell
                yield content or b""


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise DataError(
            f"{path} is a Parquet file, and pyarrow, which reads these, is not installed",
            "pip install 'convscope[parquet]'",
        ) from None
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            groups = (file.metadata.row_group(number) for number in range(file.metadata.num_row_groups))
            if any(group.total_byte_size > LARGEST_GROUP for group in groups):
                raise DataError(f"{path} has row groups beyond 2 GB", "write it again with a smaller row_group_size")
            yield file
    except (pyarrow.ArrowException, OSError, ValueError, KeyError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise DataError(f"{path} is no Parquet file, or is damaged: {reason}", "write it again") from None


def _holds_bytes(kind: Any) -> bool:
    """Whether a column's cells are bytes, or Hugging Face's images: {"bytes": …, "path": …}."""
    from pyarrow import types

    if types.is_struct(kind):
        inner = [kind.field(i).name for i in range(kind.num_fields)]
        return "bytes" in inner and _holds_bytes(kind.field("bytes").type)
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _class_names(metadata: dict[bytes, bytes]) -> dict[str, tuple[str, ...]]:
    """Column → its class names, as Hugging Face's datasets write them beside the schema."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        return {name: tuple(map(str, kind["names"])) for name, kind in features.items() if _is_class_label(kind)}
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _is_class_label(kind: Any) -> bool:
    return isinstance(kind, dict) and kind.get("_type") == "ClassLabel" and isinstance(kind.get("names"), list)
