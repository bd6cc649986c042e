"""``--net auto``: which net suits the data, said with its reason, and decided by images that are held out."""

from .settling import settle

__all__ = ["settle"]
