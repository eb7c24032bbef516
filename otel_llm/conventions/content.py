"""What becomes of message content and personal data before anything is stored."""

import fnmatch
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from otel_llm.conventions import values
from otel_llm.conventions.redaction import MARK, SECRET_KEYS, in_values, redacted
from otel_llm.conventions.routes import MAX_PLANS, MAX_REMEMBERED_TEXT, key_route

if TYPE_CHECKING:
    from otel_llm.config import Settings

HASHED: Final = "hmac:"
_FREE_TEXT_FIELDS: Final = frozenset({"error_text", "status_message", "error_message"})
_USER_FIELDS: Final = frozenset({"user_id", "user_name"})
_USER_PARTS: Final = frozenset({"id", "user_id", "userId", "name", "user_name", "email", "user_email"})
"""What tells who a user is, inside an object that describes one."""
CONTENT_MEMBERS: Final = frozenset(
    [
        *("messages", "message", "input", "inputs", "contents", "content", "prompt", "prompts", "query", "texts", "documents"),
        *("system", "system_prompt", "system_instruction", "systemInstruction", "system_instructions", "instructions"),
        *("tools", "functions", "prediction", "suffix", "images", "image", "audio", "text_inputs", "history", "chat_history"),
    ]
)
"""Members of request parameters that are the conversation itself, in the words of the providers' APIs."""
SHORT: Final = 128
MAX_TEXTS: Final = 8192
"""Short texts known to hold nothing: most attribute values come again and again."""
_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class ContentPolicy:
    """How message content and personal data are treated. The default keeps no content and changes nothing else."""

    capture: bool = False
    """Keep message content: prompts, completions, tool arguments and results, retrieved documents."""
    max_bytes: int = 16 * 1024
    """Longest captured text value, in bytes of UTF-8; the rest is cut."""
    redact: bool = False
    """Replace what the redaction rules find in stored text."""
    redact_keys: tuple[str, ...] = ()
    """Attribute keys whose values are not stored; ``*`` stands for any text."""
    redact_patterns: tuple[str, ...] = ()
    """Further regular expressions whose matches are replaced."""
    user_secret: bytes | None = field(default=None, repr=False)
    """Secret with which user ids and names are hashed (HMAC-SHA-256); None keeps them."""

    @classmethod
    def from_settings(cls, settings: "Settings") -> "ContentPolicy":
        """The policy that the settings ask for."""
        secret = settings.hash_user_ids
        return cls(
            capture=settings.capture_content,
            max_bytes=settings.capture_content_max_bytes,
            redact=settings.redact,
            redact_keys=tuple(settings.redact_keys),
            redact_patterns=tuple(settings.redact_patterns),
            user_secret=secret.get_secret_value().encode() if secret else None,
        )

    def guard(self) -> "Guard | None":
        """What protects personal data; None when nothing is to be done."""
        return _guard(self) if self.redact or self.redact_keys or self.redact_patterns or self.user_secret else None

    def cut(self, attributes: dict[str, Any]) -> dict[str, Any]:
        """Captured attributes with long texts cut."""
        return in_values(attributes, self._cut)  # type: ignore[no-any-return]

    def parameters(self, value: Any) -> Any:
        """Request parameters as they are stored: content among them is kept only when it is captured and not too long."""
        if self.capture and in_values(value, self._cut) == value:
            return value
        return without_content(value)

    def _cut(self, text: str) -> str:
        if len(text) * 4 <= self.max_bytes:
            return text
        encoded = text.encode("utf-8", "replace")
        return encoded[: self.max_bytes].decode("utf-8", "ignore") if len(encoded) > self.max_bytes else text


class Guard:
    """Protects personal data in what is about to be stored: hashes user ids and names, redacts text.

    Attributes that feed an identity (user, session, model, ids) are facts, not text, and are not redacted: a user known by
    an e-mail address stays one user. Hash user ids to hide them.
    """

    def __init__(self, policy: ContentPolicy) -> None:
        self._rules = policy.redact
        self._patterns = tuple(re.compile(pattern) for pattern in policy.redact_patterns)
        self._keys = tuple(re.compile(fnmatch.translate(pattern)) for pattern in policy.redact_keys)
        self._secret = policy.user_secret
        self._texts: dict[str, str] = {}
        self._known: dict[tuple[str, ...], tuple[tuple[str, ...], tuple[str, ...]]] = {}
        self._watches_text = bool(self._keys or self._patterns or policy.redact)

    def attributes(self, raw: dict[str, Any], encoded: bytes) -> tuple[dict[str, Any], bytes]:
        """Attributes as stored, and their JSON; the very same ones when there is nothing to hide."""
        changed = False
        if self._secret is not None:
            hashed = {key: self._hashed(key, value) for key, value in raw.items()}
            changed = hashed != raw
            raw = hashed
        if self._watches_text:
            keys = tuple(raw)
            hidden, free = self._known.get(keys) or self._remember(keys)
            found = dict.fromkeys(hidden, MARK) if hidden else {}
            for key in free:
                value = raw[key]
                if value.__class__ is str:
                    text = self._texts.get(value) or self._redacted(value)
                    if text is not value:
                        found[key] = text
                elif value.__class__ is list or value.__class__ is dict:
                    found[key] = in_values(value, self._redacted)
            if found:
                raw = {**raw, **found}
                changed = True
        return (raw, _encode(raw)) if changed else (raw, encoded)

    def treatment(self, key: str) -> Callable[[Any], Any] | None:
        """What :meth:`attributes` does to the values of one key; None when it keeps them all."""
        hidden, free = self._remember((key,)) if self._watches_text else ((), ())
        if hidden:
            return lambda _: MARK
        if self._secret is None:
            return (lambda value: in_values(value, self._redacted)) if free else None
        if free:
            return lambda value: in_values(self._hashed(key, value), self._redacted)
        return lambda value: self._hashed(key, value)

    def text(self, text: str) -> str:
        """Free text (a span's name, a status message) as stored."""
        return self._redacted(text) if text and self._watches_text else text

    def _redacted(self, text: str) -> str:
        found = text
        if self._rules:
            found = redacted(found)
        for pattern in self._patterns:
            found = pattern.sub(MARK, found)
        if found is text and len(text) <= SHORT:
            if len(self._texts) >= MAX_TEXTS:
                self._texts.clear()
            self._texts[text] = text
        return found

    def _remember(self, keys: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Which of a set of keys are hidden, and which hold free text; remembered, as instrumentations use few sets."""
        hidden = tuple(
            key
            for key in keys
            if any(pattern.match(key) for pattern in self._keys) or (self._rules and SECRET_KEYS.search(key[-64:]))
        )
        free = tuple(key for key in keys if key not in hidden and not _is_fact(key))
        if sum(map(len, keys)) <= MAX_REMEMBERED_TEXT:
            if len(self._known) >= MAX_PLANS:
                self._known.clear()
            self._known[keys] = hidden, free
        return hidden, free

    def _hashed(self, key: str, value: Any) -> Any:
        route = key_route(key)
        if any(source.field in _USER_FIELDS for source in route.sources):
            found = values.text(value)
            return self._hash(found) if found else value
        if route.opened and key in _objects_with_user():
            inner = values.obj(value)
            if inner:
                kept = {
                    part: self._hash(str(item)) if part in _USER_PARTS and isinstance(item, str | int) and item != "" else item
                    for part, item in inner.items()
                }
                return values.json_text(kept) if kept != inner else value
        return value

    def _hash(self, user: str) -> str:
        if user.startswith(HASHED) and len(user) == len(HASHED) + 32:
            return user
        return HASHED + hmac.new(self._secret or b"", user.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:32]


def without_content(parameters: Any) -> Any:
    """Request parameters without the members that hold content; the very same ones when there are none. What does not read
    as an object may hold anything, and is not kept."""
    if parameters.__class__ is str and len(parameters) <= SHORT and parameters[:1] != "{":
        return parameters
    found = values.obj(parameters)
    if found is None:
        return MARK
    kept = {name: value for name, value in found.items() if name not in CONTENT_MEMBERS}
    return parameters if len(kept) == len(found) else values.json_text(kept) if parameters.__class__ is str else kept


def _is_fact(key: str) -> bool:
    """True for an attribute that is read as an id, a name or a number, and not as free text."""
    return any(source.field not in _FREE_TEXT_FIELDS for source in key_route(key).sources)


@lru_cache(maxsize=1)
def _objects_with_user() -> frozenset[str]:
    from otel_llm.conventions.routes import all_sources

    return frozenset(source.key.split("#")[0] for source in all_sources() if source.field == "user_id" and "#" in source.key)


_guard: Callable[[ContentPolicy], Guard] = lru_cache(maxsize=64)(Guard)
