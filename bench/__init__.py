"""Side-by-side measurements: ours, rivals and limits, in turn, in one run, on one machine."""
