"""Pictures of concepts, runs and explanations."""
