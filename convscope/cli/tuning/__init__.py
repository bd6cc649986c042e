"""Verbs that help to choose how to train: ``augment``, ``lr``, ``sweep``."""
