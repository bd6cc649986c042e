"""How much compressed data from outside may unpack to: bounded before anything is allocated."""

from ...errors import DataError
from ...storage.memory import require_memory, size_text

DEFLATE_RATIO = 1032  # deflate cannot pack more bytes into one
SUSPICIOUS_RATIO = 300  # binary digits as float64 are packed some 100 times; zeros, a thousand times
HARMLESS = 200_000_000  # bytes that any ratio may unpack to


def require_unpackable(packed: int, unpacked: int, what: str) -> None:
    """Raise DataError where ``unpacked`` bytes cannot come from ``packed`` ones, where they look like a decompression
    bomb (more than 200 MB, and more than 300 times what is packed), or where they do not fit into memory.
    """
    if unpacked > max(packed, 1) * DEFLATE_RATIO:
        raise DataError(
            f"{what} claims {unpacked:,} bytes, more than the file can hold", "it is damaged: write it again"
        )
    require_memory(unpacked, what)
    if unpacked > HARMLESS and unpacked > packed * SUSPICIOUS_RATIO:
        raise DataError(
            f"{what} unpacks {size_text(packed)} to {size_text(unpacked)}: that is taken for a decompression bomb",
            "if it is yours, write it without compression (numpy.savez, or gunzip)",
        )
