"""A pretrained net is left as it is: its features of every image are computed once, and a last layer is fitted."""

from .engine import HeadEngine
from .features import Features

__all__ = ["Features", "HeadEngine"]
