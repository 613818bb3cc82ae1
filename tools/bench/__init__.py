"""Measures of speed, as ratios within one run: this machine's numbers mean nothing elsewhere."""
