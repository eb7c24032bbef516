"""What becomes of message content and personal data before anything is stored."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ContentPolicy:
    """How message content is treated. The default keeps none of it."""

    capture: bool = False
    """Keep message content: prompts, completions, tool arguments and results, retrieved documents."""
    max_bytes: int = 65_536
    """Longest captured text value, in characters; longer ones are cut."""

    def cut(self, attributes: dict[str, Any]) -> dict[str, Any]:
        """Captured attributes with long texts cut."""
        longest = self.max_bytes
        return {
            key: value[:longest] if value.__class__ is str and len(value) > longest else value
            for key, value in attributes.items()
        }
