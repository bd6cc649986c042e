"""A published data set's name → its four verified IDX files: found on this machine, else fetched from a mirror."""

import contextlib
import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from ...errors import DataError
from ...storage.places import cache_dir, is_offline, search_dirs
from .idx import read_idx, wrong_checksum

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")


@dataclass(frozen=True)
class Published:
    """A data set of the MNIST family. The sums are in the order of FILES: SHA-256 of the uncompressed content, or
    MD5 of the published ``.gz``; ``torchvision`` is the folder in which torchvision keeps it."""

    torchvision: str
    mirrors: tuple[str, ...]
    classes: tuple[str, ...]
    sha256: tuple[str, ...] = ("", "", "", "")
    md5_gz: tuple[str, ...] = ("", "", "", "")


PUBLISHED = {
    # Y. LeCun, C. Cortes, C. Burges. CC BY-SA 3.0.
    "mnist": Published(
        torchvision="MNIST",
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://dataset.bj.bcebos.com/mnist/",  # PaddlePaddle's copy: answers in China, where the others may not
        ),
        classes=tuple("0123456789"),
        sha256=(
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
    # H. Xiao, K. Rasul, R. Vollgraf. MIT.
    "fashion-mnist": Published(
        torchvision="FashionMNIST",
        mirrors=(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            "https://dataset.bj.bcebos.com/fashion_mnist/",
        ),
        classes=FASHION,
        md5_gz=(
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
    ),
    # T. Clanuwat et al., CODH. CC BY-SA 4.0.
    "kmnist": Published(
        torchvision="KMNIST",
        mirrors=(
            "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
            "https://storage.googleapis.com/kuzushiji-mnist/",
        ),
        classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
        md5_gz=(
            "bdb82020997e1d708af4cf47b453dcf7",
            "e144d726b3acfaa3e44228e80efcd344",
            "5c965bf0a639b31b8f53240b1b52f4d7",
            "7320c461ea6c1c855c0b718fb2a4b134",
        ),
    ),
}


def fetch(name: str, data_dir: Path | None = None, offline: bool = False) -> list[Path]:
    """The four files of the published data set ``name``, in the order of FILES, each plain or ``.gz``.

    Each is looked for in ``data_dir``, ``$CONVSCOPE_DATA`` and the user's cache (there in ``<name>/``, in
    torchvision's own layout, or in the folder itself where that is called ``<name>``), then fetched into the cache
    unless ``offline``: from the web folders that ``$CONVSCOPE_MIRROR`` names (``<folder>/<name>/``), then from the
    mirrors. A ``.gz`` whose MD5 is published is verified here; a published SHA-256 is left to the reader,
    which unpacks the file anyway. A plain file of a data set with neither is taken by its structure alone.
    """
    published, folders = PUBLISHED[name], _places(name, data_dir)
    paths = []
    for number, file in enumerate(FILES):
        path = find_idx(folders, file)
        if path is None:
            if is_offline(offline):
                raise _absent(name, file, data_dir)
            path = _download(name, number, cache_dir() / name)
        elif path.suffix == ".gz" and published.md5_gz[number]:
            _check_md5(path, published.md5_gz[number])
        paths.append(path)
    return paths


def is_at_hand(name: str) -> bool:
    """Whether the published data set ``name`` is on this machine, so that :func:`fetch` needs no network."""
    folders = _places(name, None)
    return all(find_idx(folders, file) is not None for file in FILES)


def find_idx(folders: list[Path], file: str) -> Path | None:
    """The first of ``folders`` that holds ``file``, plain or gzip-compressed, also with a dot as in ``images.idx3``."""
    for folder in folders:
        for spelling in (file, file.replace("-idx", ".idx")):
            for path in (folder / spelling, folder / f"{spelling}.gz"):
                if os.path.isfile(path):  # noqa: PTH113 - Path's own raises where the folder may not be looked into
                    return path
    return None


def _places(name: str, data_dir: Path | None) -> list[Path]:
    return [folder for base in [*search_dirs(data_dir), cache_dir()] for folder in _folders(base, name)]


def _folders(base: Path, name: str) -> list[Path]:
    own = [base] if base.resolve().name.lower() == name else []
    return [base / name, base / PUBLISHED[name].torchvision / "raw", *own]


def _download(name: str, number: int, folder: Path) -> Path:
    """Try each mirror in turn. What arrives is verified under a temporary name, then renamed: whole or absent."""
    import pooch
    from tqdm import tqdm

    published, file = PUBLISHED[name], f"{FILES[number]}.gz"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"cannot make the folder {folder} for downloads: {error.strerror}",
            "set CONVSCOPE_CACHE to a folder that can be written",
        ) from None
    part = folder / f".{file}.{os.getpid()}.part"
    failures = []
    own = [f"{base.rstrip('/')}/{name}/" for base in os.environ.get("CONVSCOPE_MIRROR", "").split()]
    for mirror in [*own, *published.mirrors]:
        bar = tqdm(total=1, desc=f"{name}: {file}", unit="B", unit_scale=True, disable=not sys.stderr.isatty())
        try:
            pooch.HTTPDownloader(progressbar=bar, timeout=30)(mirror + file, str(part), None)
            if published.md5_gz[number]:
                _check_md5(part, published.md5_gz[number])
            else:
                read_idx(part, 3 if "idx3" in file else 1, published.sha256[number])
            return part.replace(folder / file)
        except (OSError, ValueError, DataError) as error:  # requests' own errors are OSErrors
            reason = error.message if isinstance(error, DataError) else str(error)
            failures.append(f"{mirror}: {reason}")
        finally:
            bar.close()
            with contextlib.suppress(OSError):
                part.unlink()
    raise DataError(
        f"{file} could not be fetched from any mirror:\n  " + "\n  ".join(failures),
        f"look at the network connection and try again, or put the file into {folder}",
    )


def _check_md5(path: Path, expected: str) -> None:
    with path.open("rb") as file:
        got = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if got != expected:
        raise wrong_checksum(path, f"MD5 {expected}", got)


def _absent(name: str, file: str, data_dir: Path | None) -> DataError:
    places = ", ".join(str(base / name) for base in [*search_dirs(data_dir), cache_dir()])
    return DataError(
        f"{name} is not on this machine, and the network is not to be used: no {file}[.gz] in {places}",
        "run once without --offline (CONVSCOPE_OFFLINE), name the folder above it with --data-dir, "
        "or take digits, which need no download",
    )
