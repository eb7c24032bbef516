"""Keys held by project are the same keys as pairs are."""

from otel_llm.store.keys import Keys


def test_rows_of_one_project_or_of_several_give_each_key_once_in_order() -> None:
    one = Keys.of_columns(["a", "a", "a"], ["x", "y", "x"])
    assert (list(one), len(one)) == ([("a", "x"), ("a", "y")], 2)
    several = Keys.of_columns(["a", "b", "a"], ["x", "x", "y"])
    assert list(several) == [("a", "x"), ("a", "y"), ("b", "x")]
    assert ("b", "x") in several
    assert ("b", "y") not in several
    assert ("c", "x") not in several


def test_no_row_has_no_key() -> None:
    none: Keys[str] = Keys.of_columns([], [])
    assert not none
    assert list(none) == []
    assert Keys.of_pairs(none) is none
