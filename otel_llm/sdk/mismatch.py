"""Recognises the everyday mistake of speaking to a port in a way it does not: what the client says then is of no help."""

_SIGNS = (
    ("BadStatusLine", "it speaks gRPC, not HTTP: use the protocol grpc, or the HTTP port (4318)"),
    ("Trying to connect an http1.x", "it speaks HTTP, not gRPC: use the protocol http/protobuf, or the gRPC port (4317)"),
    ("WRONG_VERSION_NUMBER", "it answers without TLS: use http:// instead of https://"),
    ("RECORD_LAYER_FAILURE", "it answers without TLS: use http:// instead of https://"),
)
"""What ``http.client``, grpcio and OpenSSL say, and what it means."""


def explained(reason: str) -> str | None:
    """What is wrong in words of the settings; None when a failure has another reason."""
    return next((meaning for sign, meaning in _SIGNS if sign in reason), None)
