"""``python -m convscope`` is the ``convscope`` command."""

from .cli import main

if __name__ == "__main__":
    main()
