"""The OTLP servers: gRPC and HTTP, one way in for both (see :class:`receiver.server.Receiver`)."""
