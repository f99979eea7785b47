"""Benchmarks: what the rig costs beside what the machine asks for the bare work."""
