"""What can go wrong with a reply, to be switched on with :meth:`~airflow_provider_lms.simulator.vendor.Vendor.fail`."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

from airflow_provider_lms.simulator.exchange import HTML, JSON, XML, Reply, Request

Fault: TypeAlias = Callable[[Request, Reply], Reply]


def status(code: int, **headers: str) -> Fault:
    """Another status, with an error body; ``Retry_After="3"`` sets the header Retry-After."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    content = {"code": code, "message": "simulated"}
    return lambda _, reply: replace(reply, status=code, content=content, headers=named, raw=None)


def no_content() -> Fault:
    """The status for "nothing to send", without a body."""
    return lambda _, reply: replace(reply, status=204, raw=b"", media_type="")


def truncated(share: float = 0.5) -> Fault:
    """The connection ends before the announced length."""
    return lambda _, reply: replace(reply, sent=share)


def connection_reset(share: float = 0.5) -> Fault:
    """The connection is reset within the body."""
    return lambda _, reply: replace(reply, sent=share, reset=True)


def lost_reply(*, reset: bool = True) -> Fault:
    """The connection ends before a byte of the reply was sent.

    :param reset: end it hard, so that the reader sees a reset, and not just an end.
    """
    return lambda _, reply: replace(reply, unsent=True, reset=reset)


def late(seconds: float) -> Fault:
    """Nothing is sent for a while. The request has been carried out before that."""
    return lambda _, reply: replace(reply, delay=seconds)


def slow(seconds: float, pieces: int = 10) -> Fault:
    """The body drips, with a pause before each piece."""
    return lambda _, reply: replace(reply, pause=seconds, pieces=pieces)


def compressed(*, whole: bool = True) -> Fault:
    """A gzip body. With ``whole=False`` only its first half is sent, with the length of that half."""

    def compress(_: Request, reply: Reply) -> Reply:
        packed = gzip.compress(reply.body())
        headers = {**reply.headers, "Content-Encoding": "gzip"}
        return replace(reply, raw=packed if whole else packed[: len(packed) // 2], headers=headers)

    return compress


def cut_document(share: float = 0.5) -> Fault:
    """A body of the announced length that ends in the middle of the document."""

    def cut(_: Request, reply: Reply) -> Reply:
        body = reply.body()
        return replace(reply, raw=body[: int(len(body) * share)])

    return cut


def html_page(code: int = 200) -> Fault:
    """A web page instead of an answer."""
    page = b"<!DOCTYPE html><html><body>Sign in</body></html>"
    return lambda _, reply: replace(reply, status=code, media_type=HTML, raw=page)


def body(raw: bytes, media_type: str = JSON) -> Fault:
    """Just this body."""
    return lambda _, reply: replace(reply, raw=raw, media_type=media_type)


def content(change: Callable[[Any], Any]) -> Fault:
    """The content as a function of itself."""
    return lambda _, reply: replace(reply, content=change(reply.content))


def repeated_token() -> Fault:
    """The page names its own page token as the next one."""
    return lambda request, reply: replace(
        reply, content={**reply.content, "nextPageToken": request.first("pageToken") or reply.content["nextPageToken"]}
    )


def redirect(location: str) -> Fault:
    """A redirect to another place."""
    return lambda _, reply: replace(reply, status=302, raw=b"", headers={"Location": location})


def entity_bomb() -> Fault:
    """XML whose entities grow without bound."""
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 9))
    raw = f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY e0 "ha">{levels}]><response><results>&e8;</results></response>'
    return body(raw.encode(), XML)


def external_entity(uri: str) -> Fault:
    """XML that asks to read something else in."""
    raw = f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "{uri}">]><response><results>&x;</results></response>'
    return body(raw.encode(), XML)
