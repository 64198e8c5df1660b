"""Steers a simulator over HTTP: ``POST /_control/<control>`` with the parameters as JSON.

Every control is a method of :class:`~airflow_provider_lms.simulator.controls.Controls`. What a request may hold is
declared here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from airflow_provider_lms.simulator.controls import Controls
from airflow_provider_lms.simulator.exchange import JSON, Reply, Request
from airflow_provider_lms.simulator.recorded_world import Recorded
from airflow_provider_lms.simulator.request_log import RequestLog

PREFIX = "/_control"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_MOST_SHOWN = 1_000

_Count = Annotated[int, Meta(ge=1)]
_Seconds = Annotated[float, Meta(ge=0, le=86_400 * 3_660)]


class _Parameters(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The parameters of a control, by the names that its method has."""


class _Complete(_Parameters, kw_only=True):
    course: str
    learners: _Count = 1
    learner_ids: Annotated[list[str], Meta(min_length=1)] | None = None


class _Fail(_Parameters, kw_only=True):
    status: Annotated[int, Meta(ge=200, le=599)] = 403
    call: str | None = None
    times: _Count = 1
    lms: str | None = None
    before: bool = False


class _Lock(_Parameters, kw_only=True):
    seconds: _Seconds = 60.0
    lms: str | None = None


class _Revoke(_Parameters, kw_only=True):
    lms: str | None = None


class _Slow(_Parameters, kw_only=True):
    seconds: Annotated[float, Meta(ge=0, le=3_600)]


class _MoveClock(_Parameters, kw_only=True):
    seconds: _Seconds


class _Load(_Parameters, kw_only=True):
    rows: list[Recorded]


@dataclass(frozen=True)
class _Control:
    """A control.

    :param parameters: what a request may hold.
    :param carry_out: calls the method.
    """

    parameters: type[_Parameters]
    carry_out: Callable[[Controls, Any], object]


_CONTROLS: Mapping[str, _Control] = {
    "complete": _Control(
        _Complete, lambda to, given: to.complete(given.course, given.learners, learner_ids=given.learner_ids)
    ),
    "fail": _Control(
        _Fail,
        lambda to, given: to.fail(given.status, call=given.call, times=given.times, lms=given.lms, before=given.before),
    ),
    "lock": _Control(_Lock, lambda to, given: to.lock(given.seconds, lms=given.lms)),
    "revoke": _Control(_Revoke, lambda to, given: to.revoke(lms=given.lms)),
    "slow": _Control(_Slow, lambda to, given: to.slow(given.seconds)),
    "clock": _Control(_MoveClock, lambda to, given: to.move_clock(given.seconds)),
    "load": _Control(_Load, lambda to, given: to.load_recorded(given.rows)),
}


class ControlRequests:
    """Answers the requests below ``/_control``.

    :param controls: what they steer.
    :param log: the requests to the simulated LMSs.
    """

    def __init__(self, controls: Controls, log: RequestLog) -> None:
        self._controls = controls
        self._log = log

    def reply(self, request: Request) -> Reply:
        """The reply to a request."""
        # A web page that the user has open could send requests to this machine, but not under this name.
        if _host_of(request) not in _LOOPBACK:
            return _error(403, "A simulator is steered only by the name 127.0.0.1 or localhost.")
        method, _, path = request.call.partition(" ")
        name = path.removeprefix(PREFIX).strip("/")
        if method == "GET" and name == "":
            return Reply(content={**self._controls.status(), "controls": sorted(_CONTROLS)})
        if method == "GET" and name == "requests":
            return self._requests(request)
        if name not in _CONTROLS:
            return _error(404, f"There is no control {name!r}. There are: {', '.join(sorted(_CONTROLS))}.")
        if method != "POST":
            return _error(405, f"Use POST for {PREFIX}/{name}, with the parameters as a JSON object.")
        # A browser sends this content type to another site only if that site allows it.
        if not request.headers.get("content-type", "").startswith(JSON):
            return _error(415, f"Send the parameters as a JSON object, with the header Content-Type: {JSON}.")
        return self._carry_out(_CONTROLS[name], request.body)

    def _carry_out(self, control: _Control, body: str) -> Reply:
        try:
            given = msgspec.json.decode(body or "{}", type=control.parameters)
            return Reply(content={"result": control.carry_out(self._controls, given)})
        except (ValueError, msgspec.MsgspecError) as error:
            return _error(400, str(error))

    def _requests(self, request: Request) -> Reply:
        last = request.first("last") or "20"
        if not last.isdecimal() or not 1 <= int(last) <= _MOST_SHOWN:
            return _error(400, f"last: expected a number from 1 to {_MOST_SHOWN:,}, got {last!r}.")
        return Reply(content={"requests": [each.to_json() for each in self._log.last(int(last))]})


def _host_of(request: Request) -> str | None:
    try:
        return urlsplit(f"//{request.headers.get('host', '')}").hostname
    except ValueError:
        return None


def _error(status: int, message: str) -> Reply:
    return Reply(status=status, content={"error": message})
