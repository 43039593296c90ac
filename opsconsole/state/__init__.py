"""What is known now: snapshots, the pollers that make them, and one-shot collection."""
