"""A call that changes something in the LMS, declared once: where it goes, and how the LMS says that it was done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from airflow_provider_lms.lms.http.exchange import Params
from airflow_provider_lms.lms.http.response import Response
from airflow_provider_lms.lms.http.transport import Transport
from airflow_provider_lms.lms.http.unsafe import Doubt
from airflow_provider_lms.lms.listing.path import Path, PathId


@dataclass(frozen=True)
class Write:
    """A call that changes something.

    :param method: the HTTP method.
    :param path: the endpoint below the base URL, such as ``/user/{user_id}/subordination``.
    :param success: the HTTP status that the vendor documents for a success; None if it documents none.
    :param doubt: why a response with that status does not confirm the call; None if it does.
    :param ids: the ids in the path. Messages and traces show none that identify a person.
    """

    method: str
    path: str
    success: HTTPStatus | None
    doubt: Doubt
    ids: tuple[PathId, ...] = ()

    def send(
        self,
        transport: Transport,
        body: Mapping[str, object] | None = None,
        *,
        params: Params = (),
        **ids: object,
    ) -> Response:
        """Check the ids in the path, and send the call. The LMS gets it once.

        :param body: becomes the JSON body; None sends none.
        :param params: query parameters.
        :param ids: the ids in the path, by name.
        :raises ValueError: an id is missing or invalid; nothing was sent.
        :raises LmsUnconfirmed: it was sent, and nobody knows whether it was carried out.
        :raises LmsError: it was not carried out.
        """
        path = Path(self.path)
        found = path.check(self.ids, ids)
        return transport.write(
            self.method,
            path.render(found),
            body,
            params=params,
            shown_path=path.render(found, hidden={each.name for each in self.ids if each.personal}),
            endpoint=path.render(found, hidden=found),
            doubt=self._doubt,
        )

    def _doubt(self, response: Response) -> str | None:
        # Another 2xx, such as 202 or 207, may well mean that the LMS has done nothing yet, or a part of it.
        if self.success is not None and response.status != self.success:
            return f"the LMS documents HTTP {int(self.success)} for a success."
        return self.doubt(response)
