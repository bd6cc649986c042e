"""The CPU engine: machine code written for the net at hand. ``docs/engine.md`` explains how it is made."""

from .covers import why_not, why_slower
from .engine import JitEngine
from .predictor import JitPredictor

__all__ = ["JitEngine", "JitPredictor", "why_not", "why_slower"]
