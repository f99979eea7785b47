"""What one check at start found: a name, well or not, and one line that ends in the remedy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """`ok` False: a person should do what `text` says at its end."""

    name: str
    ok: bool
    text: str

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {"name": self.name, "ok": self.ok, "text": self.text}
