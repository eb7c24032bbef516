"""The closed door: projects, keys, scopes, and the audit log.

:class:`Door` authenticates requests on every protocol; :class:`Register` changes keys and projects.
"""

from otel_llm.access.caller import DEFAULT_PROJECT, OPEN_CALLER, SCOPES, Caller, Scope, operator_of
from otel_llm.access.door import Door
from otel_llm.access.register import Register, RegisterError, UnknownNameError

__all__ = [
    "DEFAULT_PROJECT",
    "OPEN_CALLER",
    "SCOPES",
    "Caller",
    "Door",
    "Register",
    "RegisterError",
    "Scope",
    "UnknownNameError",
    "operator_of",
]
