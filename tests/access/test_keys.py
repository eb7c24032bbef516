"""Keys: what is generated, what is stored, and how append-only rows join to one state."""

from hypothesis import given
from hypothesis import strategies as st

from otel_llm.access.keys import digest, generate, merge, to_row


def test_a_secret_has_256_bits_and_is_not_stored() -> None:
    new = generate("shop", ["ingest"], now_ns=1)
    assert len(new.secret_key.removeprefix("sk-otel-")) >= 43  # 256 bits in base64
    row = to_row(new.key, 1)
    assert row["secret_sha256"] == digest(new.secret_key)
    assert new.secret_key not in repr((row, new, new.key))


def test_no_two_keys_are_equal() -> None:
    made = [generate("shop", ["read"], now_ns=1) for _ in range(200)]
    assert len({new.secret_key for new in made}) == len({new.key.public_key for new in made}) == 200


def test_scopes_have_one_order_and_no_repetition() -> None:
    assert generate("shop", ["admin", "ingest", "admin"], now_ns=1).key.scopes == ("ingest", "admin")


BASE = generate("shop", ["ingest", "read"], now_ns=100).key
times = st.none() | st.integers(0, 10**6)
rows_of_one_key = st.lists(
    st.builds(
        lambda expires, revoked, used, updated: (
            to_row(BASE, updated) | {"expires_ns": expires, "revoked_ns": revoked, "last_used_ns": used}
        ),
        times,
        times,
        times,
        st.integers(0, 10**6),
    ),
    min_size=1,
    max_size=8,
)


@given(rows_of_one_key, st.randoms(use_true_random=False))
def test_the_state_of_a_key_does_not_depend_on_the_order_of_its_rows(rows: list[dict[str, object]], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert merge(rows) == merge(shuffled)


@given(rows_of_one_key)
def test_a_late_note_of_a_use_never_brings_a_revoked_or_expired_key_back(rows: list[dict[str, object]]) -> None:
    key = merge(rows)[BASE.public_key]
    revoked = [row["revoked_ns"] for row in rows if row["revoked_ns"] is not None]
    expires = [row["expires_ns"] for row in rows if row["expires_ns"] is not None]
    used = [row["last_used_ns"] for row in rows if row["last_used_ns"] is not None]
    assert key.revoked_ns == min(revoked, default=None)
    assert key.expires_ns == min(expires, default=None)
    assert key.last_used_ns == max(used, default=None)
    assert not (revoked and key.valid(0))
