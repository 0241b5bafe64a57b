"""An endpoint's state as processes write it to each other, and back.

Whatever stands in the database is somebody else's word: a row that another version wrote, or
somebody by hand, changes nothing here, and is written over by the next that has something to say.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from orchestration.routing.breaker import CLOSED, Breaker

if TYPE_CHECKING:
    from collections.abc import Mapping

    from checkpoints.traffic import SharedState
    from orchestration.routing.endpoint_state import EndpointState
    from state.jsonvalue import JsonObject

_LARGEST: Final = 2**53
"""Of numbers; a moment in seconds since the epoch is far below."""

log = logging.getLogger(__name__)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < _LARGEST


def _is_moment(value: object) -> bool:
    return type(value) in {int, float} and 0 <= value < _LARGEST  # type: ignore[operator]  # it is a number here


_FIELDS: Final[Mapping[str, Callable[[object], bool]]] = {
    "of": _is_text,
    "open": _is_flag,
    "due": _is_moment,
    "openings": _is_count,
    "passed": _is_count,
    "probe_until": _is_moment,
    "ejected_until": _is_moment,
    "ejections": _is_count,
    "ejected_why": _is_text,
    "limited_until": _is_moment,
    "failed_probes": _is_count,
    "last_probe_at": _is_moment,
}


def as_state(endpoint: EndpointState) -> JsonObject:
    """Say as JSON what others should know of an endpoint."""
    breaker = endpoint.breaker
    return {
        "of": endpoint.whereabouts,
        "open": breaker.is_open,
        "due": breaker.due,
        "openings": breaker.openings,
        "passed": breaker.passed,
        "probe_until": breaker.probe_until,
        "ejected_until": endpoint.ejected_until,
        "ejections": endpoint.ejections,
        "ejected_why": endpoint.ejected_why,
        "limited_until": endpoint.limited_until,
        "failed_probes": endpoint.failed_probes,
        "last_probe_at": endpoint.last_probe_at,
    }


def adopt(endpoint: EndpointState, shared: SharedState) -> bool:
    """Take over what another process has written.

    Returns:
        Whether that could be: it is readable, and about the place where this endpoint is.
    """
    endpoint.revision = shared.revision
    state = _readable(shared, endpoint)
    if state is None:
        return False
    _adopt_breaker(endpoint, state)
    endpoint.ejected_until = state["ejected_until"]
    endpoint.ejections = state["ejections"]
    endpoint.ejected_why = state["ejected_why"]
    endpoint.limited_until = state["limited_until"]
    endpoint.failed_probes = state["failed_probes"]
    endpoint.last_probe_at = state["last_probe_at"]
    return True


def keep_later(endpoint: EndpointState, shared: SharedState) -> bool:
    """Of what two processes say at once, keep the ends that are further away.

    Of a breaker, keep what this process has found out since it knew what the others know.

    Returns:
        Whether the other's word could be read, and is about the place where this endpoint is.
    """
    endpoint.revision = shared.revision  # what was just seen here is newer
    state = _readable(shared, endpoint)
    if state is None:
        return False
    if shown(endpoint.breaker) == shown(endpoint.agreed):
        _adopt_breaker(endpoint, state)
    endpoint.limited_until = max(endpoint.limited_until, state["limited_until"])
    endpoint.ejected_until = max(endpoint.ejected_until, state["ejected_until"])
    endpoint.ejections = max(endpoint.ejections, state["ejections"])
    return True


def shown(breaker: Breaker) -> Breaker:
    """What others know of a breaker; the calls that it counts are this process's own."""
    return breaker._replace(failures=0, recent=0, calls=0)


def _adopt_breaker(endpoint: EndpointState, state: Mapping[str, Any]) -> None:
    if state["open"] and endpoint.resilience.breaker is not None:
        endpoint.breaker = Breaker(
            is_open=True,
            due=state["due"],
            openings=state["openings"],
            passed=state["passed"],
            probe_until=state["probe_until"],
        )
    elif endpoint.breaker.is_open:
        endpoint.breaker = CLOSED
    endpoint.agreed = endpoint.breaker


def _readable(shared: SharedState, endpoint: EndpointState) -> Mapping[str, Any] | None:
    """The state, if all of it is what it should be, and of the same place.

    Nothing is there where it was deleted.
    """
    state = shared.state
    wrong = [name for name, fits in _FIELDS.items() if not fits(state.get(name))]
    if not wrong:
        return state if state["of"] == endpoint.whereabouts else None
    if shared.revision:
        log.warning("%s: what is shared of its state is not taken, for %s", shared.place, wrong)
    return None
