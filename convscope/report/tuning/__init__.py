"""Pictures that help to choose how to train."""
