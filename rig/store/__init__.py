"""What is remembered: one SQLite file, one writer, an append-only event log."""
