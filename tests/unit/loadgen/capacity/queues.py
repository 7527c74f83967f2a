"""Simulated servers whose truth is known: for the statistics of this folder, seeded, vectorised, in virtual time."""

import heapq

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def poisson(rng: np.random.Generator, rate: float, seconds: float) -> Array:
    """Arrival times."""
    return np.sort(rng.uniform(0, seconds, rng.poisson(rate * seconds)))


def fifo(arrivals: Array, services: Array, servers: int = 1) -> Array:
    """Response times of a first-come-first-served queue (G/G/c, begun empty)."""
    if servers == 1:
        worked = np.cumsum(services)
        starts = np.maximum.accumulate(arrivals - (worked - services))
        return np.asarray(starts + worked - arrivals)
    free = [0.0] * servers
    times = np.empty_like(arrivals)
    for index, (arrival, service) in enumerate(zip(arrivals.tolist(), services.tolist(), strict=True)):
        end = max(arrival, heapq.heappop(free)) + service
        heapq.heappush(free, end)
        times[index] = end - arrival
    return times


def mmc(
    rng: np.random.Generator, rate: float, seconds: float, servers: int = 1, service: float = 0.1
) -> tuple[Array, Array]:
    """Arrivals and response times, seconds, of a server with exponential service times."""
    arrivals = poisson(rng, rate, seconds)
    return arrivals, fifo(arrivals, rng.exponential(service, arrivals.size), servers)


def saturating(rng: np.random.Generator, rate: float, seconds: float, capacity: float) -> tuple[Array, Array]:
    """The same of one that takes exactly 1/capacity a request: fine up to it, hopeless past it."""
    arrivals = poisson(rng, rate, seconds)
    return arrivals, fifo(arrivals, np.full(arrivals.size, 1 / capacity))
