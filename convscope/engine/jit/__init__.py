"""The CPU engine: machine code written for the net at hand. ``docs/engine.md`` explains how it is made."""

from .engine import JitEngine, JitPredictor
from .stages import why_not, why_slower

__all__ = ["JitEngine", "JitPredictor", "why_not", "why_slower"]
