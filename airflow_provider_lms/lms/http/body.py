"""The body of a response: decompressed, and never larger than allowed."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable, Iterator

_STEP = 1_048_576
_GZIP, _ZLIB, _RAW_DEFLATE = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS


class BodyError(Exception):
    """A body that cannot be used; the message says why, as a sentence."""


class BodyTooLarge(BodyError):
    """A body, or its compressed form, is larger than allowed."""


class BodyCutOff(BodyError):
    """The compressed data ends too early."""


def read_body(chunks: Iterable[bytes], content_encoding: str, max_bytes: int) -> bytes:
    """The whole body, decompressed. See :func:`stream_body`."""
    body = io.BytesIO()  # its getvalue() makes no copy, unlike bytes(bytearray)
    for piece in stream_body(chunks, content_encoding, max_bytes):
        body.write(piece)
    return body.getvalue()


def stream_body(chunks: Iterable[bytes], content_encoding: str, max_bytes: int) -> Iterator[bytes]:
    """The body, decompressed, piece by piece.

    A few hundred bytes may decompress to gigabytes. So data is decompressed in steps that never exceed the limit, and
    only one level of compression is accepted.

    :param chunks: the body as it arrives.
    :param content_encoding: the ``Content-Encoding`` header; empty if there is none.
    :param max_bytes: the largest size, decompressed.
    :raises BodyError: the body is too large, incomplete, or compressed in another way than ``gzip`` or ``deflate``.
    """
    size = 0
    coding = _coding(content_encoding)
    for piece in _decompressed(chunks, coding) if coding else chunks:
        size += len(piece)
        if size > max_bytes:
            raise BodyTooLarge("the body is too large.")
        yield piece


def _coding(content_encoding: str) -> str:
    names = [name.strip().lower().removeprefix("x-") for name in content_encoding.split(",")]
    codings = [name for name in names if name not in ("", "identity")]
    if len(codings) > 1:
        raise BodyError("the body is compressed more than once.")
    if codings and codings[0] not in ("gzip", "deflate"):
        raise BodyError("the body is compressed in a way that was not asked for.")
    return codings[0] if codings else ""


def _decompressed(chunks: Iterable[bytes], coding: str) -> Iterator[bytes]:
    decompressor = None
    for chunk in chunks:
        data = chunk
        while data:
            if decompressor is None or decompressor.eof:
                # A gzip body may have several members, one after the other. Some servers pad it with zeros.
                data = data if decompressor is None else data.lstrip(b"\0")
                if not data:
                    break
                decompressor = zlib.decompressobj(_window_bits(coding, data))
            yield from _steps(decompressor, data)
            data = decompressor.unused_data
    if decompressor is not None and not decompressor.eof:
        raise BodyCutOff("the compressed body ends too early.")


def _steps(decompressor: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    """What the data decompresses to, in pieces of bounded size."""
    piece = b""
    while (data or len(piece) == _STEP) and not decompressor.eof:
        try:
            piece = decompressor.decompress(data, _STEP)
        except zlib.error:
            raise BodyError("the compressed body is damaged.") from None
        yield piece
        data = decompressor.unconsumed_tail


def _window_bits(coding: str, data: bytes) -> int:
    if coding == "gzip":
        return _GZIP
    # HTTP's "deflate" is the zlib format. Some servers send the bare deflate data instead.
    return _ZLIB if data[0] & 0x0F == zlib.DEFLATED else _RAW_DEFLATE
