"""GET /openapi.json: the description of every endpoint, one module of paths for each product."""

from query_api.openapi.document import blueprint, document

__all__ = ["blueprint", "document"]
