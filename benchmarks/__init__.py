"""What the project holds itself to, as ratios of two things measured side by side in one run: `make bench`."""
