"""Files of a newer convscope: what it knows and this one does not is no damage."""

import re

from .. import __version__
from ..errors import DataError


def unreadable(path: object, written_by: object, why: str, help: str = "") -> DataError:  # noqa: A002 - as DataError's
    """The error for a file that makes no sense here: damaged, or written by a newer version, which is then said."""
    if is_newer(written_by):
        return DataError(
            f"{path} was written by a newer convscope ({written_by}; this is {__version__}): {why}", "update convscope"
        )
    return DataError(f"the file {path} is damaged: {why}", help)


def is_newer(version: object) -> bool:
    """Whether ``version`` is one after this one."""
    return isinstance(version, str) and len(version) < 100 and _numbers(version) > _numbers(__version__)


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"[0-9]{1,9}", version)]
