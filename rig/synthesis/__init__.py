"""Synthesis: the photographic transformations, recipes and the parallel runner."""
