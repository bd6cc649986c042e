"""What can do the arithmetic on this machine, and which of it a run uses."""

import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

import torch

from ..distributed.team import ALONE, Team
from ..errors import UsageError
from ..shown import Shown
from ..storage import cores
from ..storage.memory import size_text

# Widest first: feature of the CPU → what one register holds.
VECTORS = [
    ("avx512f", "AVX-512, 16 floats"),
    ("avx2", "AVX2, 8 floats"),
    ("sse2", "SSE2, 4 floats"),
    ("neon", "NEON, 4 floats"),
]


@dataclass(frozen=True)
class Gpu:
    """One CUDA device; memory in bytes."""

    name: str
    memory: int


@dataclass(frozen=True, repr=False)
class Devices(Shown):
    """The machine as torch sees it. ``cores`` are those that this process may use, ``auto`` the device a run takes.

    A run takes ``threads`` of the cores by itself; ``limit`` says why they are fewer than all. ``unused`` says what is
    installed for GPUs where none can be used; empty where there is one, or nothing.
    """

    cpu: str
    cores: int
    threads: int
    vectors: str
    gpus: tuple[Gpu, ...]
    mps: bool
    engines: tuple[str, ...]
    auto: str
    limit: str = ""
    unused: str = ""

    def told(self) -> Iterator[str]:
        """One fact a line."""
        yield f"GPUs     {len(self.gpus)}"
        yield from (f"         cuda:{i}  {gpu.name}, {gpu.memory / 2**30:.1f} GiB" for i, gpu in enumerate(self.gpus))
        yield f"MPS      {'yes' if self.mps else 'no'}"
        yield f"CPU      {self.cpu}"
        yield f"cores    {self.cores}"
        yield f"threads  {self.threads}" + (f" ({self.limit})" if self.limit else "")
        yield f"vectors  {self.vectors}"
        yield f"engines  {', '.join(self.engines)}"
        yield f"auto     {self.auto}"
        if self.unused:
            yield f"unused   {self.unused}"


def resolve(text: str, team: Team = ALONE) -> torch.device:
    """ "auto", "cpu", "cuda", "cuda:1", "mps" → a device that is there. Raises UsageError that lists what there is.

    Of several processes on a machine with as many GPUs each takes its own, by its local rank.
    """
    if team.ranks > 1 and text in ("auto", "cuda") and torch.cuda.is_available():
        text = f"cuda:{team.local_rank}"
    if text == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", 0)
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind, colon, number = text.partition(":")
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind == "cuda" and (not colon or (number.isascii() and number.isdigit())) and int(number[:9] or 0) < gpus:
        return torch.device("cuda", int(number or 0))
    if text == "cpu" or (text == "mps" and torch.backends.mps.is_available()):
        return torch.device(text)
    there = ["cpu", *(f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(gpus))]
    if torch.backends.mps.is_available():
        there.append("mps")
    raise UsageError(
        f"--device {text[:40]!r} is not on this machine", f"here there is: {', '.join(there)}; or use auto"
    )


def check_same_device(net: torch.nn.Module, batch: torch.Tensor) -> None:
    """Raise UsageError where a batch lies on another device than the net's weights."""
    for name, parameter in net.named_parameters():
        if parameter.device != batch.device:
            raise UsageError(
                f"the net's {name} is on {parameter.device}, but the batch is on {batch.device}",
                f"move both to one device: net.to({str(batch.device)!r}) or batch.to({str(parameter.device)!r})",
            )


def survey() -> Devices:
    """Everything ``convscope devices`` prints."""
    from llvmlite import binding  # slow to import, and only this and the jit engine need it

    features = binding.get_host_cpu_features()
    vectors = next((text for feature, text in VECTORS if features.get(feature)), "unknown")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    gpus = tuple(
        Gpu(torch.cuda.get_device_name(i), torch.cuda.get_device_properties(i).total_memory) for i in range(count)
    )
    found = cores.survey()
    return Devices(
        cpu=cpu_name(),
        cores=found.usable,
        threads=found.threads,
        vectors=vectors,
        gpus=gpus,
        mps=torch.backends.mps.is_available(),
        engines=("jit", "eager"),
        auto=str(resolve("auto")),
        limit=found.limit,
        unused=_unused(),
    )


def _unused() -> str:
    """What a build of PyTorch for GPUs takes on a machine whose GPUs it cannot use, and what to do about it."""
    kind = f"CUDA {torch.version.cuda}" if torch.version.cuda else f"ROCm {torch.version.hip}"
    if (torch.version.cuda or torch.version.hip) is None or torch.cuda.is_available():
        return ""
    libraries = sorted(filter(_for_gpus, distributions()), key=lambda one: one.name)
    size = f" without {size_text(sum(map(_bytes, libraries)))} of libraries" if libraries else ""
    return (
        f"torch {torch.__version__} is a build for {kind}, but there is no GPU that it can use. If there is none, the "
        f"build for CPUs does the same{size}: {_change(libraries)}. "
        "If there is one, nvidia-smi says whether its driver works"
    )


def _change(libraries: list[Distribution]) -> str:
    """The command that takes the build for CPUs; an environment that ``uv tool`` made has no pip."""
    if (Path(sys.prefix) / "uv-receipt.toml").exists():
        return "uv tool install convscope --reinstall --torch-backend cpu"
    version, remove = torch.__version__.partition("+")[0], " ".join(one.name for one in libraries)
    return (
        f"pip install --force-reinstall --no-deps torch=={version} --index-url https://download.pytorch.org/whl/cpu"
        + (f"; pip uninstall {remove}" if remove else "")
    )


def _for_gpus(distribution: Distribution) -> bool:
    """Whether a distribution is one that only PyTorch's builds for GPUs ask for."""
    return distribution.name.lower().startswith(("nvidia-", "cuda-", "triton", "pytorch-triton"))


def _bytes(distribution: Distribution) -> int:
    """What a distribution takes on the disk, by its own record."""
    return sum(file.size or 0 for file in distribution.files or ())


def cpu_name() -> str:
    """The CPU's marketing name where the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
