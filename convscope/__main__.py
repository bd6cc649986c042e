"""``python -m convscope`` is the ``convscope`` command."""

from .cli import run

if __name__ == "__main__":
    run()
