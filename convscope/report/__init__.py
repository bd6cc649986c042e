"""Pictures from a run folder."""
