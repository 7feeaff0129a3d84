"""What waits and runs in each lane of each stage, for operators."""
