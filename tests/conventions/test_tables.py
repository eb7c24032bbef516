"""The dialect tables are consistent, and the page made from them is current."""

from pathlib import Path

from otel_llm.conventions import reference, roles
from otel_llm.conventions.dialects import DIALECTS
from otel_llm.conventions.slots import EVIDENCE, GATHERED, SLOT
from otel_llm.spans import FIELD_NAMES

ROOT = Path(__file__).parent.parent.parent


def test_the_reference_page_is_current() -> None:
    page = (ROOT / "docs" / "attributes.md").read_text()
    assert page == reference.page(), "run: python -m otel_llm.conventions.reference > docs/attributes.md"


def test_dialects_have_names_and_orders_of_their_own() -> None:
    assert len({dialect.name for dialect in DIALECTS}) == len(DIALECTS)
    assert len({dialect.order for dialect in DIALECTS}) == len(DIALECTS)


def test_every_source_feeds_a_known_field_and_has_a_rank_of_its_own() -> None:
    seen: dict[tuple[str, int], str] = {}
    for dialect in DIALECTS:
        for source in dialect.sources:
            assert source.field in SLOT
            if source.field not in GATHERED:
                place = (source.field, source.rank)
                assert place not in seen, f"{source.key} and {seen[place]} share rank {place}"
                seen[place] = source.key


def test_every_part_of_an_opened_attribute_is_opened_somewhere() -> None:
    opened = {item.key for dialect in DIALECTS for item in dialect.opened}
    parts = {source.key.split("#")[0] for dialect in DIALECTS for source in dialect.sources if "#" in source.key}
    assert parts == opened


def test_no_fact_is_listed_as_content() -> None:
    facts = {source.key.split("#")[0] for dialect in DIALECTS for source in dialect.sources}
    content = {key for dialect in DIALECTS for key in dialect.content}
    assert facts & content == set()


def test_evidence_and_columns_have_different_names() -> None:
    assert not set(EVIDENCE) & set(FIELD_NAMES)
    assert set(roles.VENDOR_ORDER) <= set(EVIDENCE)
