import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunewright.errors import StudyError
from tunewright.trial import Interval, Proposal, Refusal, Trial, Verdict
from tunewright.trial_json import (
    clean_outcome,
    from_plain,
    outcome_from_json,
    outcome_to_json,
    proposal_from_json,
    proposal_to_json,
    to_plain,
    trial_from_json,
    trial_to_json,
)
from tunewright_tools.base import STATUSES, GpuUse, Outcome, Point, Telemetry

text = st.text(max_size=20)
number = st.floats(allow_nan=True, allow_infinity=True)
value = st.one_of(st.booleans(), st.integers(), number, text)
junk = st.recursive(
    st.none() | value,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
config = st.dictionaries(text, value, max_size=4)
interval = st.none() | st.builds(Interval, number, number, number)
proposal = st.builds(
    Proposal,
    st.dictionaries(text, junk, max_size=4),
    text,
    text,
    interval,
    st.none() | text,
    st.none() | st.integers(0, 9),
)
verdict = st.builds(
    Verdict, st.booleans(), text, st.dictionaries(text, number, max_size=3), st.lists(text, max_size=3).map(tuple)
)
point = st.builds(Point, number, st.dictionaries(text, number, max_size=3), number)
count, measure = st.none() | st.integers(), st.none() | number
gpu = st.builds(GpuUse, text, text, st.integers(), count, measure, measure)
telemetry = st.none() | st.builds(
    Telemetry,
    *(number, count, count, count, st.sampled_from([None, "processes", "device", "run"])),
    *(measure, measure, measure, measure, measure, st.sampled_from([None, "tokens", "samples"]), measure),
    st.lists(gpu, max_size=2).map(tuple),
)
outcome = st.sampled_from(STATUSES).flatmap(
    lambda status: st.builds(
        Outcome,
        st.just(status),
        st.dictionaries(text, number, max_size=3) if status == "done" else st.just({}),
        st.lists(point, max_size=4).map(tuple),
        telemetry,
        text,
        st.sampled_from([None, "config", "host", "person"]),
    )
)
trial = st.builds(
    Trial,
    number=st.integers(0, 9999),
    config=config,
    source=text,
    attempt=st.integers(1, 3),
    seed=st.integers(),
    turn=text,
    asked=st.dictionaries(text, junk, max_size=4),
    rationale=text,
    verdict=verdict,
    refused=st.lists(st.builds(Refusal, proposal, verdict), max_size=3).map(tuple),
    predicted=interval,
    call_id=st.none() | text,
    call_index=st.none() | st.integers(0, 9),
    queue_id=st.none() | text,
    space_revision=st.integers(0, 5),
    status=st.sampled_from([*STATUSES, "running"]),
    outcome=st.none() | outcome,
    started=number,
    finished=st.none() | number,
    record_id=st.integers(-1, 999),
    environment=st.dictionaries(text, junk, max_size=2),
)


def strictly(data):
    """Through JSON that knows no NaN, as a database or a browser would have it."""
    return json.loads(json.dumps(data, allow_nan=False))


@given(trial)
def test_a_trial_comes_back(t):
    assert repr(trial_from_json(strictly(trial_to_json(t)))) == repr(t)  # repr: NaN is not equal to itself


@given(proposal)
def test_a_proposal_comes_back(p):
    assert repr(proposal_from_json(strictly(proposal_to_json(p)))) == repr(p)


@given(outcome)
def test_an_outcome_comes_back(o):
    assert repr(outcome_from_json(strictly(outcome_to_json(o)))) == repr(o)


@given(junk)
def test_plain_data_comes_back(data):
    assert repr(from_plain(strictly(to_plain(data)))) == repr(data)


def test_scalars_of_numpy_become_numbers():
    data = to_plain({"a": np.int64(3), "b": np.float32(0.5), "c": np.bool_(True), "d": np.float64("nan"), "e": (1, 2)})
    assert strictly(data) == {"a": 3, "b": 0.5, "c": True, "d": {"$number": "nan"}, "e": [1, 2]}
    assert math.isnan(from_plain(data)["d"])


@pytest.mark.parametrize("odd", [object(), {1: 2}, [{None: 1}], {1, 2}, np.zeros(3), b"x"])
def test_what_is_not_plain_is_refused(odd):
    with pytest.raises(StudyError, match="the record cannot keep"):
        to_plain({"x": odd})


def test_a_detail_loses_its_codes_and_its_middle():
    dirty = "a\x1b[1;31mb\x1b]0;title\x07c\x00\x08d\ud800\r\ne\tf\rg"
    assert clean_outcome(Outcome("crashed", detail=dirty)).detail == "abcd\ne\tf\ng"
    long = clean_outcome(Outcome("crashed", detail="first" + "x" * 10_000 + "last")).detail
    assert long.startswith("firstx")
    assert long.endswith("xlast")
    assert "[... 6009 characters left out ...]" in long
    short = Outcome("crashed", detail="x" * 4000)
    assert clean_outcome(short) == short
    assert clean_outcome(clean_outcome(short)) == short


def test_a_record_from_before_gpus_were_told_apart_is_read():
    record = outcome_to_json(Outcome("done", {"loss": 1.0}, (), Telemetry(2.0)))
    old = {"seconds": 2.0, "peak_bytes": 5, "peak_gpu_bytes": None, "limit_bytes": 9}
    assert outcome_from_json({**record, "telemetry": old}).telemetry == Telemetry(2.0, 5, None, 9)
