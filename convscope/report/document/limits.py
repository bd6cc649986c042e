"""What a run's document must say of its own limits: in English and in Chinese, side by side."""

from dataclasses import dataclass

import numpy as np

from ...language.width import fit
from ...training.scores import confidence_of
from .facts import RunFacts

FEW = 1000  # test images: with fewer, the interval of a share is wider than ± 3 points at its worst


@dataclass(frozen=True)
class Said:
    """One sentence in both languages."""

    en: str
    zh: str


def limits(facts: RunFacts) -> list[Said]:
    """How much the figures were tested on, and what was never tested."""
    found = [_tested(facts), *_untested_classes(facts), *_selection(facts), *_leaks(facts)]
    found.append(
        Said(
            "Never tested: images from other places, cameras, times or people than those of these data; images of none "
            "of the classes, which still get a class; images changed on purpose to deceive the net.",
            "从未测试：来自其他地点、相机、时间或人群的图像；不属于任何类别的图像（它们仍会得到一个类别）；为欺骗网络而故意修改的图像。",
        )
    )
    if confidence_of(facts.model.loss) != "probability":
        found.append(
            Said(
                f"The net was trained with {facts.model.loss}: it gives scores, no probabilities, so there is neither "
                "a calibration nor a search for wrong labels.",
                f"网络以 {facts.model.loss} 训练：它给出的是分数而不是概率，因此没有校准图，也不查找错误标签。",
            )
        )
    return found


def _tested(facts: RunFacts) -> Said:
    if facts.tested is None:
        return Said(
            "The run's test images are not here, so nothing was tested for this report; figures are those of the run.",
            "这次训练的测试图像不在这里，因此本报告没有重新测试；数字取自训练记录。",
        )
    result = facts.tested.evaluation
    low, high = (100 * bound for bound in result.interval)
    few = result.images < FEW
    return Said(
        f"Tested on {result.images:,} images: with 95 % confidence the true accuracy on images like these lies between "
        f"{low:.2f} % and {high:.2f} %."
        + (" That is few: small differences between runs mean nothing." if few else ""),
        f"用 {result.images:,} 张图像测试：对同类图像，真实准确率以 95 % 的置信度位于 {low:.2f} % 与 {high:.2f} % "
        "之间。" + ("图像很少：不同训练之间的微小差别没有意义。" if few else ""),
    )


def _untested_classes(facts: RunFacts) -> list[Said]:
    if facts.tested is None:
        return []
    count = np.bincount(facts.tested.images.labels, minlength=len(facts.model.classes))
    few = [name for name, images in zip(facts.model.classes, count.tolist(), strict=True) if images < 10]
    if not few:
        return []
    names = ", ".join(fit(name, 40) for name in few[:10]) + (f" … ({len(few):,})" if len(few) > 10 else "")
    return [
        Said(
            f"Classes with fewer than ten test images, of which next to nothing is known: {names}.",
            f"测试图像少于十张的类别，对它们几乎一无所知：{names}。",
        )
    ]


def _selection(facts: RunFacts) -> list[Said]:
    if facts.data is None:
        return []
    if facts.data.val is not None:
        return [
            Said(
                "The weights were chosen by the validation images; the test images chose nothing.",
                "权重由验证图像选出；测试图像没有参与任何选择。",
            )
        ]
    return [
        Said(
            "The weights are those of the last update; the test images chose nothing within this run. Whoever compares "
            "many runs by their test accuracy and keeps the best does choose by them.",
            "权重取自最后一次更新；在这次训练中测试图像没有参与任何选择。若按测试准确率比较多次训练并保留最好的，则等于用它们作了选择。",
        )
    ]


def _leaks(facts: RunFacts) -> list[Said]:
    if facts.data is None or facts.tested is None:
        return []
    seen = {row.tobytes() for row in facts.data.train.hashes}
    twice = sum(row.tobytes() in seen for row in facts.tested.images.hashes)
    if not twice:
        return []
    return [
        Said(
            f"{twice:,} test images have the very pixels of a training image: they flatter the result.",
            f"{twice:,} 张测试图像与某张训练图像的像素完全相同：它们使结果偏好。",
        )
    ]
