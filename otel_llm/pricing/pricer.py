"""Tokens to USD for whole batches: prices are resolved once for each provider, model and service tier."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from otel_llm.pricing.overrides import Override, read_overrides
from otel_llm.pricing.price_table import Listing, PriceTable
from otel_llm.pricing.tariff import Day, Tariff, Timeline, costs
from otel_llm.spans import CALL_ROLES, SpanBatch

if TYPE_CHECKING:
    from otel_llm.config import Settings

_CACHED_TIMELINES = 4096
_NS = 1_000_000_000
_LAST_S = 250_000_000_000  # year 9892
_UNPRICED = Timeline((), (((0, None),),))

INPUTS = (
    "role",
    "start_ns",
    "provider",
    "request_model",
    "response_model",
    "service_tier",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "modality_tokens",
)
"""Fields that the price of a call depends on."""


_Model = tuple[str | None, str | None, str | None, str | None]
"""Provider, model that answered, model asked for, service tier."""


class _Models(dict[_Model, Tariff | Timeline | None]):
    """The models of one batch: the tariff of one whose price is the same for all of the batch, else its timeline."""

    def __init__(self, timeline: Callable[..., Timeline], starts: Sequence[int]) -> None:
        super().__init__()
        self._timeline = timeline
        self._first, self._last = min(starts), max(starts)
        self.steady = True
        """Each model found so far has one price."""

    def __missing__(self, model: _Model) -> Tariff | Timeline | None:
        timeline: Timeline = self._timeline(*model)
        steady = timeline.is_steady(self._first, self._last)
        self.steady = self.steady and steady
        self[model] = found = timeline.at(self._first) if steady else timeline
        return found


class Pricer:
    """Fills the computed cost of calls. Safe to use from several threads; never raises on what a span may hold."""

    def __init__(self, overrides: Sequence[Override] = (), *, update: bool = False) -> None:
        """``overrides`` win over the price table. ``update`` lets the table update itself over the network, hourly."""
        self._overrides = tuple(overrides)
        self._update = update
        self._table: PriceTable | None = None
        self._updater: Any = None
        self._loading = threading.Lock()
        self._timeline = lru_cache(maxsize=_CACHED_TIMELINES)(self._resolve)

    @classmethod
    def from_settings(cls, settings: "Settings") -> "Pricer":
        """A pricer with the operator's prices. Raises ConfigError when their file is wrong."""
        overrides = read_overrides(settings.prices_file) if settings.prices_file else ()
        return cls(overrides, update=settings.update_prices)

    def load(self) -> None:
        """Loads the price table now (0.2 s) instead of with the first call; starts its updates if asked for."""
        self._current_table()

    def close(self) -> None:
        """Stops updates of the price table."""
        if self._updater is not None:
            self._updater.stop()
            self._updater = None

    def override(self, overrides: Sequence[Override]) -> None:
        """Replaces the operator's prices: calls that are priced from now on get the new ones."""
        with self._loading:
            self._overrides = tuple(overrides)
            # a new cache: what another thread resolves at this moment goes into the old one
            self._timeline = lru_cache(maxsize=_CACHED_TIMELINES)(self._resolve)

    def price(self, batch: SpanBatch, rows: Iterable[int] | None = None) -> None:
        """Sets cost_computed and cost_computed_source of the calls among the rows (all rows when None).

        Both are None for a call without token counts and for a model without a price. Other spans are left as they are.
        """
        self._current_table()
        columns = batch.columns
        if rows is not None or not CALL_ROLES.issuperset(columns["role"]):
            roles = columns["role"]
            rows = [row for row in (range(batch.size) if rows is None else rows) if roles[row] in CALL_ROLES]
        size = batch.size if rows is None else len(rows)
        if not size:
            return
        found, sources = self._costs([_column(columns, name, rows, size) for name in INPUTS])
        if rows is None:
            columns |= {"cost_computed": found, "cost_computed_source": sources}
            return
        all_costs, all_sources = columns["cost_computed"], columns["cost_computed_source"]
        for row, cost, source in zip(rows, found, sources, strict=True):
            all_costs[row], all_sources[row] = cost, source

    def _costs(self, inputs: Sequence[Any]) -> tuple[list[float | None], list[str | None]]:
        """What calls cost and with which price, from the columns of :data:`INPUTS`."""
        _, starts, providers, requested, answered, tiers, *counts, modal = inputs
        models = _Models(self._timeline, starts)
        tariffs: list[Any] = list(map(models.__getitem__, zip(providers, answered, requested, tiers, strict=True)))
        if not models.steady:
            tariffs = [
                each.at(start_ns) if isinstance(each, Timeline) else each
                for each, start_ns in zip(tariffs, starts, strict=True)
            ]
        found = costs(tariffs, *counts)
        if any(modal):
            for row, (parts, tariff, *tokens) in enumerate(zip(modal, tariffs, *counts, strict=True)):
                if parts and found[row] is not None and tariff.modal is not None:
                    cost = tariff.modal(parts, *(count or 0 for count in tokens))
                    found[row] = found[row] if cost is None else cost
        return found, [None if cost is None else tariff.source for cost, tariff in zip(found, tariffs, strict=True)]

    def _current_table(self) -> PriceTable:
        table = self._table
        if table is None or (self._update and table.outdated()):
            with self._loading:
                if self._update and self._updater is None:
                    self._updater = PriceTable.updates()
                table = self._table = PriceTable()
                self._timeline.cache_clear()
        return table

    def _resolve(self, provider: str | None, answered: str | None, requested: str | None, tier: str | None) -> Timeline:
        """All prices of a model over time, the model that answered first."""
        table = self._current_table()
        models = [model for model in dict.fromkeys((answered, requested)) if model]
        listing = next(filter(None, (table.find(provider, model) for model in models)), None)
        rules = [rule for rule in self._overrides if rule.matches(provider or "", models)]
        if listing is None and not rules:
            return _UNPRICED
        dates, times = table.changes(listing) if listing else (set(), set())
        starts = sorted(dates | {ns for rule in rules for ns in (rule.from_ns, rule.until_ns) if ns is not None})
        before = starts[0] - 86_400 * _NS if starts else 0
        periods = [_Period(table, listing, rules, tier, start).day(sorted(times | {0})) for start in (before, *starts)]
        return Timeline(starts, periods)


def _column(columns: Mapping[str, list[Any]], name: str, rows: Sequence[int] | None, size: int) -> Sequence[Any]:
    """Some rows of a column, all when None; a column that is left out stays so."""
    column = columns.get(name)
    if column is None:
        return (None,) * size
    return column if rows is None else [column[row] for row in rows]


class _Period:
    """A time in which no price of a model changes, except by the time of day."""

    def __init__(
        self, table: PriceTable, listing: Listing | None, rules: list[Override], tier: str | None, start_ns: int
    ) -> None:
        self._table = table
        self._listing = listing
        self._tier = tier
        self._rule = next((rule for rule in rules if rule.holds_at(start_ns)), None)
        self._date = _date(start_ns)

    def day(self, times: Sequence[int]) -> Day:
        if self._rule is not None:
            return ((0, self._rule.tariff),)
        return tuple((time_ns, self._listed(time_ns)) for time_ns in times)

    def _listed(self, time_ns: int) -> Tariff | None:
        return self._table.tariff(self._listing, self._date, time_ns, self._tier) if self._listing else None


def _date(time_ns: int) -> date:
    seconds = min(max(time_ns // _NS, 0), _LAST_S)  # an operator may write any year
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).date()
