"""``--net auto``: which net suits the data, said with its reason, and decided by images that are held out."""

from .settling import Settled, settle
from .together import agreed, settle_together

__all__ = ["Settled", "agreed", "settle", "settle_together"]
