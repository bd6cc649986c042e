"""Other pictures of the training images in every epoch: ``--augment "flip | shift 4"``."""

from .chosen import augmenter, check, named, settled
from .spec import Augment, Augmentation

__all__ = ["Augment", "Augmentation", "augmenter", "check", "named", "settled"]
