"""Who waits for whom: lanes and turns, measured on a system of the benchmark's own."""
