"""``--net auto``: which net suits the data, said with its reason, and decided by images that are held out."""

from .settling import Settled, settle

__all__ = ["Settled", "settle"]
