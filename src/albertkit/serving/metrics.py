"""Prometheus metrics of a server."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_TOKENS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)


class Metrics:
    """The counters of one server, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "albertkit_requests", "Finished requests; status 499 if the client disconnected.", ["path", "status"],
            registry=registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "albertkit_request_seconds", "Seconds from a request's first byte to the end of its response.", ["path"],
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.waited = Histogram(
            "albertkit_queue_seconds", "Seconds that a request waited for the model.", buckets=_SECONDS,
            registry=registry,
        )  # fmt: skip
        self.open = Gauge("albertkit_open_requests", "Requests accepted but not yet answered.", registry=registry)
        self.waiting = Gauge("albertkit_waiting_requests", "Requests waiting for the model.", registry=registry)
        self.batch_seconds = Histogram(
            "albertkit_batch_seconds", "Seconds of a forward pass.", buckets=_SECONDS, registry=registry
        )
        self.batch_tokens = Histogram(
            "albertkit_batch_tokens", "Tokens of a forward pass.", buckets=_TOKENS, registry=registry
        )
        self.batch_requests = Histogram(
            "albertkit_batch_requests", "Requests that share a forward pass.", buckets=(1, 2, 4, 8, 16, 32, 64, 128),
            registry=registry,
        )  # fmt: skip
        self.dropped = Counter(
            "albertkit_dropped_requests",
            "Requests dropped before the model ran: the client disconnected or the deadline passed.",
            registry=registry,
        )  # fmt: skip
        self.ready = Gauge("albertkit_ready", "1 while the server accepts new requests.", registry=registry)
        self.model = Gauge(
            "albertkit_model_info", "The served model; always 1.", ["task", "device", "precision", "version"],
            registry=registry,
        )  # fmt: skip

    def text(self) -> bytes:
        """Return what GET /metrics answers.

        >>> b"albertkit_ready 0.0" in Metrics().text()
        True
        """
        return generate_latest(self.registry)
