"""The messages and the topology that cross a process boundary, and nothing else."""
