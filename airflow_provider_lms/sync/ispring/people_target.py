"""Applies changes of people to iSpring Learn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_lms.sync.changes import Action, Change
from airflow_provider_lms.sync.chunks import in_chunks
from airflow_provider_lms.sync.ispring.accounts import is_same, manager_of, profile
from airflow_provider_lms.sync.ispring.people import NAMED_IN_UPDATES
from airflow_provider_lms.sync.reading import records

if TYPE_CHECKING:
    from airflow_provider_lms.lms.ispring import ISpringLearnClient
    from airflow_provider_lms.lms.ispring.listings.people import User

_TOGETHER = (Action.ACTIVATE, Action.MOVE, Action.DEACTIVATE)


class PeopleTarget:
    """The users of an account.

    :param client: of the account.
    :param send_invitation: whether a new user is invited by e-mail.
    """

    def __init__(self, client: ISpringLearnClient, *, send_invitation: bool) -> None:
        self._client = client
        self._send_invitation = send_invitation

    def chunks(self, changes: Sequence[Change]) -> Iterable[Sequence[Change]]:
        """What the same request says to several people goes into one request."""
        return in_chunks(changes, lambda each: (each.action, each.new if each.action in _TOGETHER else each.change_id))

    def states(self, changes: Sequence[Change]) -> Mapping[str, Mapping[str, Any]]:
        ids = sorted({each.person_id for each in changes if each.person_id})
        users = {each.user_id: each for each in records(self._client.users(user_ids=ids))} if ids else {}
        return {
            each.change_id: self._new_user(each.new_values)
            if each.action == Action.CREATE
            else _state(users.get(each.person_id or ""), each.old_values)
            for each in changes
        }

    def is_fulfilled(self, change: Change, state: Mapping[str, Any]) -> bool:
        new = change.new_values
        if change.action == Action.CREATE:
            fields = {**new.pop("fields"), "LOGIN": new.pop("login"), "EMAIL": new.pop("email")}
            new |= fields
        return all(is_same(name, state.get(name), value) for name, value in new.items())

    def send(self, changes: Sequence[Change]) -> None:
        first, new = changes[0], changes[0].new_values
        ids = [each.person_id or "" for each in changes]
        client = self._client
        if first.action == Action.CREATE:
            fields = new.pop("fields") or None
            client.create_user(**new, fields=fields, send_login_email=self._send_invitation)
        elif first.action == Action.ACTIVATE:
            client.activate_users(ids)
        elif first.action == Action.DEACTIVATE:
            client.deactivate_users(ids)
        elif first.action == Action.MOVE:
            client.move_users(new["department_id"], ids)
        elif first.action == Action.SET_MANAGER:
            client.set_supervisor(ids[0], new["manager_id"])
        else:
            named = {name: value for name in NAMED_IN_UPDATES if (value := first.old_values.get(name)) is not None}
            client.update_user(ids[0], fields={**named, **new})

    def _new_user(self, new: Mapping[str, Any]) -> Mapping[str, Any]:
        """How things stand for a new user: whoever has the login or the e-mail address."""
        found = [*records(self._client.users(logins=[new["login"]]))]
        found += [*records(self._client.users(emails=[new["email"]]))]
        people = {each.user_id: each for each in found}
        if not people:
            return {"user_id": None}
        if len(people) > 1:
            return {"user_id": ", ".join(sorted(people))}  # two people have what one is to have
        (user,) = people.values()
        return {"user_id": user.user_id, **_state(user, {**new["fields"], "LOGIN": None, "EMAIL": None})}


def _state(user: User | None, names: Iterable[str]) -> Mapping[str, Any]:
    """How a user is.

    :param names: the profile fields that matter; other names do no harm.
    """
    if user is None:
        return {}
    fields = profile(user)
    return {
        **{name: fields.get(name) for name in names},
        "status": user.status,
        "role": user.role,
        "department_id": user.department_id,
        "manager_id": manager_of(user),
    }
