"""Building blocks of the description: schemas, parameters, responses."""

from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
COUNT: Json = {"type": "integer", "minimum": 0}
TOKENS: Json = {"type": "integer", "minimum": 0, "description": "exact, may exceed 64 bits"}
NUMBER: Json = {"type": "number", "minimum": 0}
USD: Json = {"type": "number", "minimum": 0, "description": "USD"}


def described(schema: Json, description: str) -> Json:
    """The schema with a description of its own."""
    return schema | {"description": description}


def record(properties: Mapping[str, Json], *, optional: Sequence[str] = (), description: str = "") -> Json:
    """An object with exactly these properties."""
    schema: Json = {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }
    return schema | ({"description": description} if description else {})


def listed(items: Json) -> Json:
    """An array."""
    return {"type": "array", "items": items}


def ref(name: str) -> Json:
    """A reference to a named schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def query(name: str, schema: Json, description: str, *, repeated: bool = False) -> Json:
    """A query parameter."""
    parameter: Json = {"name": name, "in": "query", "required": False, "description": description}
    if repeated:
        return parameter | {"schema": listed(schema), "style": "form", "explode": True}
    return parameter | {"schema": schema}


def json_of(schema: Json, description: str) -> Json:
    """A JSON response."""
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def responses(product: str, ok: Json, description: str, *, errors: Mapping[int, str] | None = None) -> Json:
    """The responses of an endpoint: 200, and every error in its product's shape."""
    error = ref(f"{product}Error")
    known = {
        401: "No valid credential.",
        403: "The key may not read.",
        405: "Another method is the right one; see Allow.",
        500: "The server failed.",
    } | dict(errors or {})
    found = {"200": json_of(ok, description)}
    found |= {str(status): json_of(error, text) for status, text in sorted(known.items())}
    found["503"] = json_of(error, "The query could not finish in its time.") | {
        "headers": {"Retry-After": {"description": "seconds", "schema": {"type": "integer", "minimum": 1}}}
    }
    return found


SECURITY: list[Json] = [{"bearer": []}, {"basic": []}, {"apiKey": []}, {}]
"""Any style on any route; none at all while a loopback server has no key."""


def operation(
    product: str,
    summary: str,
    found: Json,
    *,
    parameters: Sequence[Json] = (),
    body: Json | None = None,
    description: str = "",
) -> Json:
    """An operation."""
    result: Json = {
        "tags": [product],
        "operationId": "".join(part.title() for part in summary.replace(",", "").replace("/", " ").split()),
        "summary": summary,
        "security": SECURITY,
        "responses": found,
    }
    if description:
        result["description"] = description
    if parameters:
        result["parameters"] = list(parameters)
    if body is not None:
        result["requestBody"] = {"required": False, "content": {"application/json": {"schema": body}}}
    return result
