"""The neutral JSON endpoints under ``/api/v1``: what the dashboard shows, for everybody.

Parameters are those of :mod:`query_api.v1.parameters`; times are ISO 8601 in UTC, durations ms, cost USD. Every endpoint
with a table also answers ``format=csv``. Errors are ``{"error": sentence, "status": code}``; a 400 names the parameter.
"""

from query_api.v1.routes import blueprint

__all__ = ["blueprint"]
