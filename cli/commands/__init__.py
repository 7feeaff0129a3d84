"""What the command does, a file each."""
