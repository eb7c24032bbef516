"""The values of an open :class:`otel_llm.context` block, as they travel in the OpenTelemetry context."""

from collections.abc import Mapping

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.util.types import AttributeValue

BLOCK_KEY = "otel_llm.block"


class Block:
    """The attributes of one block, those of outer blocks included."""

    __slots__ = ("attributes", "ended")

    def __init__(self, attributes: Mapping[str, AttributeValue]) -> None:
        self.attributes = attributes
        self.ended = False

    @property
    def applies(self) -> bool:
        """True while spans that see this block carry its values: tasks and jobs it started keep them to their end."""
        return True


class LentBlock(Block):
    """A block seen by a thread that was started inside it: it applies while the block lasts, and no longer.

    Many libraries start a worker inside whatever request comes first and keep it for all later ones.
    """

    __slots__ = ("lender",)

    def __init__(self, lender: Block) -> None:
        super().__init__(lender.attributes)
        self.lender = lender

    @property
    def applies(self) -> bool:
        """True until the app leaves the block."""
        return self.lender.applies and not self.lender.ended


def current_block(context: Context | None = None) -> Block | None:
    """The innermost block of a context that applies; of the current context by default."""
    found = otel_context.get_value(BLOCK_KEY, context)
    return found if isinstance(found, Block) and found.applies else None
