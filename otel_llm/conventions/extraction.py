"""What extraction gives to the pipeline, whatever the signal it read."""

from collections import Counter
from dataclasses import dataclass, field

from otel_llm.otlp.damage import Damage
from otel_llm.spans import Finding, MetricPoint, Rejection, SpanBatch


@dataclass(slots=True)
class Extraction:
    """The outcome of reading one request.

    ``received`` items were read: every one is in ``batch`` (or ``metric_points``), counted in ``ignored``, or in
    ``rejections``. ``values`` counts values that were dropped from items that were kept, by reason. ``warnings`` are
    sentences for the client's partial_success message that do not concern rejected items. ``damage`` is what could not be read
    of a request that was decoded in part: the items it rejects were not received.
    """

    batch: SpanBatch
    received: int
    ignored: Counter[str] = field(default_factory=Counter)
    rejections: list[Rejection] = field(default_factory=list)
    values: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    metric_points: list[MetricPoint] = field(default_factory=list)
    damage: Damage = field(default_factory=Damage)

    @property
    def is_plain(self) -> bool:
        """True when every item that was received is a row of the batch as it came, and there is nothing else."""
        return self.batch.size == self.received and not (
            self.ignored or self.rejections or self.values or self.findings or self.metric_points or self.damage
        )
