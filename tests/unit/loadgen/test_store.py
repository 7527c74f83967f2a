"""What a worker keeps of its deltas: all of them, exactly, in bounded memory."""

from itertools import islice

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from loadgen.core.stats.histogram import sparse_of
from loadgen.model.wire import Cell
from loadgen.runtime.worker.store import RECENT, Store, restore, squeeze
from unit.loadgen.deltas import a_cell, a_delta

KINDS, METRICS, RATE = 2, 6, 5000
"""Of a busy shard, closed and open."""
HOUR = 3600
LIMIT = 64 * 2**20

encode = msgspec.msgpack.Encoder().encode


@given(
    st.lists(st.lists(st.floats(0, 4e6), max_size=20), max_size=4),
    st.integers(-1, 86400),
    st.dictionaries(st.sampled_from(["Dns", "Parse"]), st.integers(1, 9)),
)
def test_squeezing_loses_nothing(milliseconds: list[list[float]], second: int, errors: dict[str, int]) -> None:
    """Byte for byte, whatever the histograms hold; the delta itself stays as it was."""
    cells = [a_cell(second, index, ms=ms, errors=errors) for index, ms in enumerate(milliseconds)]
    delta = a_delta(second, *cells, schedule_lag=sparse_of([1, 5, 5]))
    packed = encode(delta)

    assert restore(squeeze(delta)) == packed
    assert encode(delta) == packed


def test_numbers_are_those_of_the_arrival() -> None:
    """From any number on, among the old, the new and where they meet."""
    store, deltas = Store(), [a_delta(second, a_cell(second, ms=[second])) for second in range(RECENT + 9)]
    packed = [encode(delta) for delta in deltas]
    for number, delta in enumerate(deltas):
        store.add(packed[number], delta)

    assert len(store) == len(packed)
    for number in range(len(packed) + 1):
        assert list(store.after(number)) == packed[number:]
    reading = store.after(len(packed) - 1)
    store.add(packed[0], deltas[0])
    assert list(islice(reading, 2)) == [packed[-1], packed[0]]


def busy_cells(draw: np.random.Generator) -> list[Cell]:
    values = draw.lognormal(10, 0.5, RATE // KINDS).astype(np.int64)
    return [
        Cell(0, 0, kind, histograms={metric: sparse_of(values // (1 + metric)) for metric in range(METRICS)})
        for kind in range(KINDS)
    ]


def test_an_hour_at_full_rate_fits() -> None:
    """The mean of some seconds, times an hour."""
    draw, store, raw = np.random.default_rng(2), Store(), 0
    for second in range(RECENT + 24):
        delta = a_delta(second, *busy_cells(draw))
        raw += len(encode(delta))
        store.add(encode(delta), delta)
    recent = sum(map(len, store.after(24)))
    squeezed = store.size - recent

    assert squeezed / len(store) * HOUR + recent < LIMIT < raw / len(store) * HOUR
