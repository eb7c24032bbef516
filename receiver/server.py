"""The receiver: both OTLP servers of one process."""

from threading import Thread

from otel_llm.serving import HttpServer, TlsFiles
from otel_llm.serving.asgi import App
from receiver.grpc_server import GrpcServer
from receiver.http import create_otlp_app
from receiver.ingest import Backend, Ingest


class Receiver:
    """OTLP/gRPC and OTLP/HTTP in front of a collector.

    ``app`` is the OTLP/HTTP app, to be mounted on further ports under :data:`receiver.http.LANGFUSE_PREFIX`.
    """

    def __init__(self, backend: Backend) -> None:
        """Raises ConfigError for TLS files that cannot be used."""
        settings = backend.settings
        tls = TlsFiles.from_settings(settings)
        drain_s = settings.shutdown_timeout_s
        self.ingest = Ingest(backend)
        self.app: App = create_otlp_app(self.ingest)
        self.grpc = GrpcServer(self.ingest, host=settings.host, port=settings.grpc_port, tls=tls, drain_s=drain_s)
        self.http = HttpServer(self.app, host=settings.host, port=settings.otlp_http_port, tls=tls, drain_s=drain_s)

    def start(self) -> None:
        """Serves on both ports. Raises ConfigError when an address is not free; then neither serves."""
        self.grpc.start()
        try:
            self.http.start()
        except BaseException:
            self.grpc.stop()
            raise

    def stop(self) -> None:
        """Stops accepting, answers what was taken (bounded), closes. The collector must still run. Safe to call twice."""

        stopping = [Thread(target=server.stop) for server in (self.grpc, self.http)]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join()
        self.ingest.close()
