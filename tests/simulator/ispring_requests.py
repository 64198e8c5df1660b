"""Requests to the simulated iSpring Learn, as its pages describe them; without this package's client."""

from __future__ import annotations

from typing import Any

import requests

from airflow_provider_lms.simulator import Simulator

UNKNOWN = "00000000-0000-0000-0000-000000000000"


class Api:
    """Sends requests with one access token."""

    def __init__(self, lms: Simulator) -> None:
        account = lms.ispring
        form = {"client_id": account.client_id, "client_secret": account.client_secret}
        form["grant_type"] = "client_credentials"
        token = requests.post(f"{lms.url}/api/v3/token", data=form, timeout=10).json()["access_token"]
        self.url = lms.url
        self.headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}

    def post(self, path: str, body: Any = None, *, xml: str | None = None, **headers: str) -> requests.Response:
        headers = {**self.headers, **headers}
        if xml is not None:
            headers["Content-Type"] = "application/xml"
            return requests.post(self.url + path, data=xml, headers=headers, timeout=10)
        return requests.post(self.url + path, json=body, headers=headers, timeout=10)

    def delete(self, path: str) -> requests.Response:
        return requests.delete(self.url + path, headers=self.headers, timeout=10)

    def get(self, path: str, **params: Any) -> Any:
        reply = requests.get(self.url + path, params=params, headers=self.headers, timeout=10)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def user(self, user_id: str) -> dict[str, Any]:
        (user,) = self.get("/users/v2", **{"userIds[]": user_id})["userProfiles"]
        return dict(user)

    def profile(self, user_id: str) -> dict[str, str]:
        return {field["name"]: field["value"] for field in self.user(user_id)["fields"]}

    def enrollments(self, user_id: str) -> list[dict[str, Any]]:
        return list(self.get("/enrollments", **{"learnerIds[]": user_id})["enrollments"])

    def results(self, user_id: str, path: str = "/learners/results") -> list[dict[str, Any]]:
        statuses = ["1", "3", "5"]
        return list(self.get(path, **{"userIds[]": user_id, "userStatuses[]": statuses})["results"])
