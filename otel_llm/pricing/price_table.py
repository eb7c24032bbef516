"""The bundled price table (``genai-prices``), compiled to tariffs.

The package's own ``calc_price`` takes 100-300 us, so it prices no span: a model is looked up once and its prices of every
date, time of day, threshold and service tier become tariffs. The package is imported on first use.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from otel_llm.pricing.provider_ids import references
from otel_llm.pricing.tariff import Modal, Rates, Tariff

_MODALITIES = ("_text_", "_image_", "_audio_", "_video_")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Listing(NamedTuple):
    """One model in the price table, under one provider."""

    provider: Any
    model: Any
    own: bool
    """False when the provider sells another provider's model at that one's price; service tiers do not apply then."""

    @property
    def name(self) -> str:
        return f"{self.provider.id}/{self.model.id}"


class PriceTable:
    """Lookups in one snapshot of the price table."""

    def __init__(self, snapshot: Any = None) -> None:
        """``snapshot`` is a ``genai_prices`` data snapshot; None takes the one in force."""
        import genai_prices
        from genai_prices import data_snapshot, types

        self.snapshot = snapshot or data_snapshot.get_snapshot()
        self.version = genai_prices.__version__ + (" updated" if self.snapshot.from_auto_update else "")
        self._types = types
        self._by_id = {provider.id: provider for provider in self.snapshot.providers}
        self.find = lru_cache(maxsize=8192)(self._find)

    @staticmethod
    def updates() -> Any:
        """Starts the package's own hourly update over the network; the result has ``stop()``."""
        from genai_prices import UpdatePrices

        updater = UpdatePrices()
        updater.start()
        return updater

    def outdated(self) -> bool:
        """True when the package has a newer snapshot."""
        from genai_prices.data_snapshot import get_snapshot

        return get_snapshot() is not self.snapshot

    def _find(self, provider: str | None, model: str) -> Listing | None:
        """The listing that a provider and model of a span mean, or None."""
        for provider_id, name in references(provider, model):
            seller = self._by_id.get(provider_id) if provider_id else self._seller(name)
            if seller is None:
                continue
            found = seller.find_model(name, all_providers=self.snapshot.providers)
            if found is not None:
                return Listing(seller, found, any(found is own for own in seller.models))
        return None

    def _seller(self, model: str) -> Any:
        matches = (p for p in self.snapshot.providers if p.model_match is not None and p.model_match.is_match(model))
        return next(matches, None)

    def changes(self, listing: Listing) -> tuple[set[int], set[int]]:
        """When prices of a model may change: dates (ns since 1970) and times of day (ns since midnight UTC)."""
        dates: set[int] = set()
        times: set[int] = set()
        for constraint in self._constraints(listing.model):
            if isinstance(constraint, self._types.StartDateConstraint):
                dates.add(_ns(datetime.combine(constraint.start_date, time(tzinfo=UTC))))
            elif constraint is not None:
                times |= {_ns_of_day(constraint.start_time), _ns_of_day(constraint.end_time)}
        return dates, times

    def _constraints(self, model: Any) -> Iterable[Any]:
        if not isinstance(model.prices, self._types.ModelPrice):
            yield from (price.constraint for price in model.prices)
        yield from (variant.constraint for variant in model.price_variants or ())

    def tariff(self, listing: Listing, day: date, time_of_day_ns: int, service_tier: str | None) -> Tariff | None:
        """The prices of a model at a time; None when it is not sold by the token."""
        instant = datetime.combine(day, time(tzinfo=UTC)) + timedelta(microseconds=time_of_day_ns // 1000)
        prices = listing.model.get_prices(instant)
        source = f"genai-prices {self.version}: {listing.name}"
        if service_tier and listing.own:
            tiered = listing.model.get_prices(instant, _context(service_tier))
            if tiered != prices:
                prices, source = tiered, f"{source} ({service_tier.lower()})"
        return self._compiled(prices, source)

    def _compiled(self, prices: Any, source: str) -> Tariff | None:
        if prices.input_mtok is None and prices.output_mtok is None:
            return None
        listed = {name: price for name, price in vars(prices).items() if price is not None}
        tiered = [price for price in listed.values() if isinstance(price, self._types.TieredPrices)]
        thresholds = sorted({tier.start for price in tiered for tier in price.tiers}, reverse=True)
        bands = [(threshold, self._rates(prices, threshold)) for threshold in (*thresholds, -1)]
        modal = _modal(prices) if any(word in name for name in listed for word in _MODALITIES) else None
        return Tariff(bands, source, modal)

    def _rates(self, prices: Any, threshold: int) -> Rates:
        """Rates of calls with more input than ``threshold``, up to the next one."""

        def rate(price: Any, whole: float) -> float:
            if price is None:
                return whole
            if isinstance(price, self._types.TieredPrices):
                price = next((tier.price for tier in reversed(price.tiers) if threshold >= tier.start), price.base)
            return float(price)

        base = rate(prices.input_mtok, 0.0)
        output = rate(prices.output_mtok, 0.0)
        write = rate(prices.cache_write_mtok, base)
        return Rates(
            input=base,
            output=output,
            cache_read=rate(prices.cache_read_mtok, base),
            cache_write=write,
            cache_write_1h=rate(prices.cache_write_1h_mtok, write),
            reasoning=rate(prices.output_reasoning_mtok, output),
            call=rate(prices.requests_kcount, 0.0) / 1000,
        )


def _context(service_tier: str) -> dict[str, str]:
    """The price table names tiers by three questions; a word that answers one is no answer to the others."""
    word = service_tier.lower()
    return {"service_tier": word, "processing": word, "speed": word}


def _modal(prices: Any) -> Modal:
    """Prices a call with the package itself: slow (100 us), but only for calls that report modalities."""
    from genai_prices import Usage

    units = {name.removesuffix("_mtok") for name, price in vars(prices).items() if price is not None}
    # Nobody reports how much of the audio was cached: none, as long as both fit into the input.
    uncached = {
        f"{name}_tokens": 0 for name in units if name.startswith("cache_") and any(word in name for word in _MODALITIES)
    }

    def price(modality_tokens: str, *counts: int) -> float | None:
        names = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "output_reasoning")
        tokens = uncached | {f"{name}_tokens": count for name, count in zip(names, counts, strict=True)}
        try:
            reported = msgspec.json.decode(modality_tokens, type=dict[str, int])
            tokens |= {f"{name}_tokens": count for name, count in reported.items() if name in units}
            cost: Decimal = prices.calc_price(Usage(**tokens))["total_price"]
        except (ValueError, msgspec.MsgspecError):  # counts that contradict each other: priced without modalities
            return None
        return float(cost)

    return price


def _ns(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def _ns_of_day(moment: time) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    utc = datetime.combine(date(2000, 1, 2), aware).astimezone(UTC)
    return ((utc.hour * 60 + utc.minute) * 60 + utc.second) * 1_000_000_000 + utc.microsecond * 1000
