"""Pictures and tables of docs/engine-figures.md: ``python -m bench.pictures roofline`` and ``... growth [THREADS]``."""

import sys
from pathlib import Path

import torch
from matplotlib.figure import Figure

from convscope.storage.cores import cores

from . import engine, kernels
from .measure import conditions
from .peak import Stream

FOLDER = Path(__file__).parent.parent / "docs" / "images"
COLOURS = {"forward": "#1b6ca8", "weight": "#c8553d", "input": "#4f7f3a", "backward": "#8a5fb0"}
LABELS = {
    "forward": "forward",
    "weight": "weight gradient",
    "input": "input gradient",
    "backward": "the backward pass, Winograd",
}


def roofline() -> None:
    """GFLOP/s of each convolution kernel against its arithmetic intensity, below the roof of this core."""
    stream = Stream()
    cache, memory = stream.measure(512 << 10), stream.measure(256 << 20, 5)
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    shapes = {"note": "o", "lenet5": "s", "tiny-vgg": "^"}
    top = 0.0
    for net, shape in shapes.items():
        found, peak = kernels.measure(net, 32)
        top = max(top, peak)
        print(f"\n{net}, blocks of the size that the engine takes for 32 images, one thread; peak {peak:.0f} GFLOP/s\n")
        print("| kernel | MFLOP | µs | GFLOP/s | of peak |\n|---|---|---|---|---|")
        for k in found:
            rate = f"{k.rate:.0f} | {k.rate / peak:.0%}" if k.flop else " | "
            print(f"| {k.name} | {k.flop / 1e6:.1f} | {k.microseconds:.1f} | {rate} |")
            if k.flop:
                axes.plot(k.flop / k.bytes, k.rate, shape, color=COLOURS[k.word.split("_")[0]])
        total = sum(k.microseconds for k in found)
        rate = sum(k.flop for k in found) / total / 1e3
        print(f"| all | {sum(k.flop for k in found) / 1e6:.1f} | {total:.1f} | {rate:.0f} | {rate / peak:.0%} |")
    intensity = [0.5, 1000]
    axes.loglog(intensity, [top, top], color="black", label=f"multiply-add peak of one core, {top:.0f} GFLOP/s")
    for name, rate, style in (("L2 cache", cache, "--"), ("memory", memory, ":")):
        axes.loglog([0.5, top / rate], [0.5 * rate, top], style, color="grey", label=f"{name}, {rate:.0f} GB/s")
    for kind, colour in COLOURS.items():
        axes.plot([], [], "o", color=colour, label=LABELS[kind])
    for net, shape in shapes.items():
        axes.plot([], [], shape, color="lightgrey", label=net)
    axes.set(
        xlim=intensity,
        ylim=(10, 4 * top),
        xlabel="multiply-adds' FLOP per byte that must be moved",
        ylabel="GFLOP/s on one core",
        title="Every convolution kernel of three nets, one core",
    )
    axes.legend(fontsize=8, loc="lower right")
    axes.grid(which="both", alpha=0.2)
    figure.savefig(FOLDER / "engine-roofline.png", dpi=130)


def growth(threads: int, repeats: int = 7) -> None:
    """Time per image against batch size, threads, image side and channels."""
    results = engine.growth(repeats, threads)
    figure = Figure(figsize=(9, 6.5), layout="constrained")
    grid = figure.subplots(2, 2)
    for axes, (what, rows) in zip(grid.flat, results.items(), strict=True):
        sizes, _, micro, parts = zip(*rows, strict=True)
        axes.plot(sizes, micro, "o-", color=COLOURS["forward"])
        axes.set(xlabel=what, ylabel="µs an image, least")
        if what == "batch size":
            axes.set(xscale="log", yscale="log")
        else:
            axes.set(ylim=(0, None))
        if what == "threads":
            axes.set_xticks(sizes)
        share = axes.twinx()
        share.plot(sizes, [100 * p for p in parts], "x:", color=COLOURS["weight"])
        share.set(ylabel="% of peak (×)", ylim=(0, None))
    figure.suptitle(f"Cost of a training step, {threads} thread{'s' * (threads > 1)} unless varied")
    figure.savefig(FOLDER / "engine-growth.png", dpi=130)


if __name__ == "__main__":
    torch.set_num_threads(cores())
    print(conditions())
    if sys.argv[1:] == ["roofline"]:
        roofline()
    elif sys.argv[1:2] == ["growth"]:
        growth(int(sys.argv[2]) if sys.argv[2:] else cores())
    else:
        sys.exit(__doc__)
