"""Secrets and personal data in text: what they look like, and the mark that takes their place.

A rule is a pattern, a cheap sign without which the pattern cannot match, and for numbers a check that tells them from any
other number. All signs are looked for at once, and only in free text: what is read as a fact is short and known.
"""

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple


def luhn(digits: str) -> bool:
    """True when the digits carry a valid check digit (ISO/IEC 7812), as every payment card number does."""
    total = 0
    for place, char in enumerate(reversed(digits)):
        number = int(char)
        if place % 2:
            number = number * 2 - 9 if number > 4 else number * 2
        total += number
    return total % 10 == 0


def _is_card(found: str) -> bool:
    digits = re.sub(r"\D", "", found)
    return 13 <= len(digits) <= 19 and digits[0] in "23456" and len(set(digits)) > 1 and luhn(digits)


class Rule(NamedTuple):
    """One kind of text that is not stored: its pattern, a sign (regular expression) always in it, a check of a match."""

    name: str
    pattern: re.Pattern[str]
    sign: str
    check: Callable[[str], bool] | None = None


RULES: Final[tuple[Rule, ...]] = (
    Rule("email", re.compile(r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b"), "@"),
    Rule("bearer", re.compile(r"\b(?:[Bb]earer|BEARER|[Bb]asic)\s+[A-Za-z0-9._~+/=-]{12,}"), "[Bb]earer|BEARER|[Bb]asic"),
    Rule(
        "api_key",
        re.compile(
            r"\b(?:sk-[A-Za-z0-9_-]{16,}|(?:sk|pk)-lf-[A-Za-z0-9-]{16,}|gsk_[A-Za-z0-9]{16,}|hf_[A-Za-z0-9]{16,}"
            r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|xox[abprs]-[A-Za-z0-9-]{10,}"
            r"|AKIA[A-Z0-9]{16}|ASIA[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{30,}|glpat-[A-Za-z0-9_-]{16,})"
        ),
        r"sk-|pk-lf-|gsk_|hf_|gh[pousr]_|github_pat_|xox|A[KS]IA|AIza|glpat-",
    ),
    Rule("jwt", re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"), "eyJ"),
    Rule(
        "private_key",
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
        "PRIVATE KEY",
    ),
    Rule("card", re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])"), r"\d(?:[ -]?\d){12}", _is_card),
)
"""What is redacted when redaction is on."""

_SIGN: Final = re.compile("|".join(rule.sign for rule in RULES))
SECRET_KEYS: Final = re.compile(
    r"(?:^|[._-])(?:authorization|x-api-key|api[_-]?key|apikey|password|passwd|secret|access_token|refresh_token|cookie)$",
    re.IGNORECASE,
)
"""Attribute keys whose values are secrets whatever they look like (HTTP header attributes end in the header's name)."""
MARK: Final = "[redacted]"


def redacted(text: str) -> str:
    """The text with a mark in place of all that a rule finds; the very same text when none does."""
    if not _SIGN.search(text):
        return text
    for rule in RULES:
        text = rule.pattern.sub(lambda match, rule=rule: _mark(rule, match.group()), text)  # type: ignore[misc]
    return text


def _mark(rule: Rule, found: str) -> str:
    return found if rule.check and not rule.check(found) else f"[redacted:{rule.name}]"


def in_values(value: Any, replace: Callable[[str], str]) -> Any:
    """A plain value with every text in it (not the keys of objects) replaced."""
    if value.__class__ is str:
        return replace(value)
    if value.__class__ is list:
        return [in_values(item, replace) for item in value]
    if value.__class__ is dict:
        return {key: in_values(item, replace) for key, item in value.items()}
    return value
