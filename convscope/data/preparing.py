"""Whole sets of images, prepared: what is decided in training, and for a trained net what was."""

import math
from dataclasses import replace

from ..storage.memory import require_memory
from .images import ImageSet, Splits
from .ink import Steps, in_form
from .preparation import FORM, Preparation

ENOUGH = 100  # images, for their form to be no accident
IN_FORM = "every training image is ink in MNIST's form: other pictures will be prepared so, as ink on paper"
INK = {"mnist": Steps(), "digits": Steps(margin=True)}  # data that are ink on paper; the former are not centred


def decide(parts: Splits, source: str, image_size: int | None, name: str) -> Splits:
    """The sets with the preparation that a net which is trained on them stores, applied where they need it.

    ``digits`` and ``mnist`` are ink on paper, and all their images are in that form already. So are other data of which
    every training image is in it: the same digits as files, as IDX, as arrays. A note says so.
    """
    channels, height, width = parts.train.shape
    shape = (channels, height, width) if image_size is None else (channels, image_size, image_size)
    chosen = replace(parts.preparation or Preparation(shape), image=shape)
    if image_size is not None:
        parts = prepare_parts(parts, chosen, name)
    ink, notes = INK.get(source), parts.notes
    if ink is None and image_size is None:
        ink = _form_of(parts.train)
        notes += (IN_FORM,) if ink else ()
    return replace(parts, preparation=replace(chosen, ink=ink), notes=notes)


def _form_of(images: ImageSet) -> Steps | None:
    """The steps that would leave all these images as they are; None where there are none, or too few to tell."""
    if images.shape != (1, FORM, FORM) or len(images) < ENOUGH:
        return None
    pixels = images.images[:, 0]
    forms = [steps for steps in INK.values() if in_form(pixels[:ENOUGH], steps.margin).all()]
    return next((steps for steps in forms if in_form(pixels, steps.margin).all()), None)


def prepare_parts(parts: Splits, preparation: Preparation, name: str) -> Splits:
    """Every set with its images prepared; those that a reader prepared so already stay as they are."""
    if parts.preparation == preparation:
        return parts
    test = None if parts.test is None else prepared(parts.test, preparation, name)
    val = None if parts.val is None else prepared(parts.val, preparation, name)
    train = prepared(parts.train, preparation, name)
    return replace(parts, train=train, test=test, val=val, preparation=preparation)


def prepared(images: ImageSet, preparation: Preparation, name: str) -> ImageSet:
    """The same images, prepared. Raises DataError, naming ``name``, where they do not fit into memory."""
    if images.shape != preparation.image:
        require_memory(len(images) * math.prod(preparation.image), name)
    pixels = preparation.apply_all(images.images)
    return images if pixels is images.images else replace(images, images=pixels)
