"""Measurements; each prints what bench/README.md shows."""
