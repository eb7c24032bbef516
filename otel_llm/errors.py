"""Every error the house raises on purpose.

OtelLLMError
├── ConfigError           a setting is wrong; says which and what to do
│   └── WrongEnvironment  it came from an environment variable
├── RequestError          a request that cannot be served as sent; not retryable
│   ├── InvalidPayload    bytes that do not decode
│   ├── PayloadTooLarge   beyond the size limit
│   ├── UnsupportedMedia  a body of a type or compression that is not served
│   ├── SlowSender        a body that arrived too slowly
│   ├── Unauthenticated   no credential, or one nobody knows
│   └── PermissionDenied  a known credential that may not do this
├── RetryableError        nothing was stored; the same request may succeed later
│   ├── Overloaded        the ingest budget is used up
│   ├── StoreUnavailable  the store failed or is shutting down
│   └── QueryTimeout      a query that could not be answered within its bounds
└── StoreError            the store cannot be opened
    ├── StoreBusy         another process owns it
    └── StoreMismatch     foreign file, or written by a newer version
"""


class OtelLLMError(Exception):
    """Base of every error raised on purpose; its text is fit for a user."""


class ConfigError(OtelLLMError):
    """A setting is wrong."""


class WrongEnvironment(ConfigError):
    """A setting that comes from an environment variable is wrong; an instrumented app must not fail over it."""


class RequestError(OtelLLMError):
    """A request that cannot be served as sent; retrying it unchanged is useless."""


class InvalidPayload(RequestError):
    """The body does not decode; the text says what was wrong."""


class PayloadTooLarge(RequestError):
    """The body, or what it decompresses to, exceeds the limit."""


class UnsupportedMedia(RequestError):
    """The body is of a type, or compressed in a way, that is not served; the text names those that are."""


class SlowSender(RequestError):
    """The body arrived too slowly, or stopped arriving."""


class Unauthenticated(RequestError):
    """No credential, or one nobody knows."""


class PermissionDenied(RequestError):
    """A known credential that may not do this."""


class RetryableError(OtelLLMError):
    """Nothing of the request was stored; the same request may succeed after ``retry_after`` seconds."""

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Overloaded(RetryableError):
    """The ingest budget (bytes in flight) is used up."""


class StoreUnavailable(RetryableError):
    """The store failed to commit, or is shutting down."""


class QueryTimeout(RetryableError):
    """A query did not finish in its time, or would give more rows than one answer may hold."""


class StoreError(OtelLLMError):
    """The store cannot be opened."""


class StoreBusy(StoreError):
    """Another process owns the store."""


class StoreMismatch(StoreError):
    """A foreign file, or one written by a newer version of this program."""
