"""How many examples of a property are tried: fewer in an ordinary run where each takes milliseconds.

``pytest --hypothesis-profile thorough`` tries them all.
"""

from typing import Final

from hypothesis import settings

THOROUGH: Final = "thorough"


def examples(thorough: int, ordinary: int) -> int:
    """The number of examples under the profile that is loaded."""
    return thorough if settings.get_current_profile_name() == THOROUGH else ordinary
