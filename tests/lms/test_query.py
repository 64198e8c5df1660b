"""Spreading ids over several requests."""

from __future__ import annotations

from itertools import product
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_lms.lms.query import Query, continuation, position

ID = st.text("abcdef0123456789-Ж", min_size=1, max_size=40)
IDS = st.dictionaries(
    st.sampled_from(["userIds[]", "courseIds[]", "moduleIds[]"]),
    st.lists(ID, min_size=1, max_size=40, unique=True).map(tuple),
)


@given(ids=IDS, room=st.integers(1_200, 5_000))
def test_the_parts_ask_for_every_combination_once_and_fit(ids: dict[str, tuple[str, ...]], room: int) -> None:
    query = Query((("pageSize", "100"),), ids)
    asked = []
    for part in query.split(room):
        assert len(urlencode(part.params())) <= room
        assert part.fixed == query.fixed
        asked += product(*part.ids.values())
    assert len(asked) == len(set(asked))
    assert set(asked) == set(product(*ids.values()))


def test_one_id_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(ValueError, match="too many values for one request"):
        Query((), {"userIds[]": ("x" * 200,)}).split(100)


@given(index=st.integers(0, 99), count=st.integers(1, 100), token=st.none() | st.text(min_size=1))
def test_a_continuation_leads_to_where_it_was_made(index: int, count: int, token: str | None) -> None:
    made = continuation(index, count, token)
    if token is not None:
        assert position(made) == (index, token)
    elif index + 1 < count:
        assert position(made) == (index + 1, None)
    else:
        assert made is None
