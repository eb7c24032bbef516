"""The HTTP server of every HTTP port: an event loop in a thread, which takes a worker thread only for a complete request.

Why uvicorn and not a threaded WSGI server such as waitress: a connection costs an event loop entry, not a slot of a
bounded connection table, so a thousand slow ones keep nobody waiting; bodies are read, measured and refused before any
thread is used; TLS and client certificates come with it. Flask runs behind :class:`~otel_llm.serving.wsgi.WsgiBridge`.
"""

from otel_llm.serving.body import BodyReader
from otel_llm.serving.mount import Mount
from otel_llm.serving.operator import OperatorServer
from otel_llm.serving.server import HttpServer
from otel_llm.serving.tls import TlsFiles
from otel_llm.serving.wsgi import WsgiBridge

__all__ = ["BodyReader", "HttpServer", "Mount", "OperatorServer", "TlsFiles", "WsgiBridge"]
