"""What pyproject.toml cannot say: README.md's links are absolute where the package is looked at away from here."""

import re
import tomllib
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent
REPOSITORY = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Repository"]


def absolute(text: str) -> str:
    """Markdown whose pictures and links lead into the repository, wherever it is shown."""
    text = re.sub(r"(!\[[^\]]*\]\()(?!\w+:|#)", rf"\1{REPOSITORY}/raw/main/", text)
    return re.sub(r"(?<!!)(\[[^\]]*\]\()(?!\w+:|#)", rf"\1{REPOSITORY}/blob/main/", text)


if __name__ == "__main__":
    setup(
        long_description=absolute((HERE / "README.md").read_text(encoding="utf-8")),
        long_description_content_type="text/markdown",
    )
