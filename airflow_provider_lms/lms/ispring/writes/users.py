"""User accounts: to create, change, activate and deactivate them. None is deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from http import HTTPStatus
from typing import Literal, TypeAlias, get_args

from airflow_provider_lms.lms.client import LmsClient
from airflow_provider_lms.lms.ispring.writes.api import USER, Supervisor, change, created_id, creation, supervision
from airflow_provider_lms.lms.parameters import (
    parse_choice,
    parse_date,
    parse_flag,
    parse_id,
    parse_required_ids,
    parse_text,
    refuse_title,
)

Ids: TypeAlias = Sequence[str] | str
UserRole: TypeAlias = Literal["learner", "administrator", "department_administrator", "publisher", "custom"]

_CREATE = creation("/user")
_UPDATE = change("POST", "/user/{user_id}", HTTPStatus.OK, USER)
_ACTIVATE = change("POST", "/users/activate", HTTPStatus.OK)
_DEACTIVATE = change("POST", "/users/deactivate", HTTPStatus.OK)
_TERMINATE = change("POST", "/users/terminate", HTTPStatus.OK)
_SUBORDINATION = change("POST", "/user/{user_id}/subordination", HTTPStatus.NO_CONTENT, USER)
_SCHEDULE_DEACTIVATION = change("POST", "/user/{user_id}/scheduled_deactivation", HTTPStatus.OK, USER)
_CANCEL_DEACTIVATION = change("DELETE", "/user/{user_id}/scheduled_deactivation", HTTPStatus.OK, USER)
_SCHEDULE_TERMINATION = change("POST", "/user/{user_id}/scheduled_termination", HTTPStatus.OK, USER)
_CANCEL_TERMINATION = change("DELETE", "/user/{user_id}/scheduled_termination", HTTPStatus.OK, USER)

_IDENTITY = ("login", "email")


class UserWrites(LmsClient):
    """Changes of user accounts."""

    def create_user(
        self,
        *,
        department_id: str,
        login: str,
        email: str,
        fields: Mapping[str, str] | None = None,
        role: UserRole | None = None,
        role_id: str | None = None,
        manageable_department_ids: Ids | None = None,
        group_ids: Ids | None = None,
        password: str | None = None,
        send_login_email: bool = False,
        invitation_message: str | None = None,
        send_login_sms: bool = False,
        invitation_sms_message: str | None = None,
    ) -> str:
        """Create a user account. Nobody is invited, by e-mail or SMS, unless you ask for it.

        :param department_id: the department.
        :param login: the login name.
        :param email: the e-mail address.
        :param fields: the rest of the profile, by field name. ``client.read("profile_fields")`` lists the names.
            Whether their case matters is not documented.
        :param role: the role. What the LMS takes if there is none is not documented.
        :param role_id: the role by its id, such as a custom one; ``client.read("roles")`` lists them.
        :param manageable_department_ids: the departments that the user is to manage.
        :param group_ids: the groups that the user is to be in.
        :param password: the first password. What the LMS does without one is not documented.
        :param send_login_email: invite by e-mail.
        :param invitation_message: the text of that e-mail.
        :param send_login_sms: invite by SMS.
        :param invitation_sms_message: the text of that SMS.
        :return: the id of the new user.
        :raises ValueError: a parameter is invalid; nothing was sent.
        :raises LmsBadRequest: the LMS rejected a parameter. A login that exists already may be the cause.
        :raises LmsPermissionError: the API key's role may not create users in this department.
        :raises LmsUnconfirmed: nobody knows whether the account was created, or its id was not told. Look for it with
            ``client.users(logins=...)``.

        Example::

            user_id = client.create_user(department_id="1c3b7ec3-84a8-46ac-9e5d-a47f3f3e0d2b", login="ada",
                                         email="ada@example.com", fields={"first_name": "Ada"})

        Source: OpenAPI ``POST /user``.
        """
        for flag, message, name in (
            (send_login_email, invitation_message, "invitation_message"),
            (send_login_sms, invitation_sms_message, "invitation_sms_message"),
        ):
            if message is not None and not flag:
                raise ValueError(f"{name}: nobody is invited this way, so the text would be lost.")
        profile = {} if fields is None else _profile(fields)
        for name in profile:
            if name.lower() in _IDENTITY:
                raise ValueError(f"fields: give {name.lower()} as a parameter of its own.")
        body: dict[str, object] = {
            "fields": {"login": parse_text("login", login), "email": parse_text("email", email), **profile},
            **_place(department_id, role, role_id, manageable_department_ids, group_ids),
            # Always sent: what the LMS does without them is not documented, and it might invite.
            "sendLoginEmail": parse_flag("send_login_email", send_login_email),
            "sendLoginSMS": parse_flag("send_login_sms", send_login_sms),
        }
        if password is not None:
            body["password"] = parse_text("password", password)
        if invitation_message is not None:
            body["invitationMessage"] = parse_text("invitation_message", invitation_message)
        if invitation_sms_message is not None:
            body["invitationSMSMessage"] = parse_text("invitation_sms_message", invitation_sms_message)
        if "departmentId" not in body:
            raise ValueError("department_id: required.")
        return created_id(_CREATE.send(self._transport, body))

    def update_user(
        self,
        user_id: str,
        *,
        department_id: str | None = None,
        role: UserRole | None = None,
        role_id: str | None = None,
        manageable_department_ids: Ids | None = None,
        fields: Mapping[str, str] | None = None,
        group_ids: Ids | None = None,
    ) -> None:
        """Change a user account. Only what is given is sent.

        :param user_id: the user.
        :param department_id: the new department.
        :param role: the new role.
        :param role_id: the new role by its id.
        :param manageable_department_ids: the departments that the user is to manage.
        :param fields: new values of profile fields, by field name. The OpenAPI document requires ``login`` and
            ``email`` among them, as for a new user. Whether the LMS does so is not known.
        :param group_ids: groups. Whether the user leaves all others is not documented; remove somebody with
            :meth:`~airflow_provider_lms.lms.ispring.ISpringLearnClient.remove_user_from_groups`.
        :raises ValueError: a parameter is invalid, or nothing is to be changed; nothing was sent.
        :raises LmsNotFound: there is no such user.
        :raises LmsBadRequest: the LMS rejected a parameter.
        :raises LmsUnconfirmed: nobody knows whether the account was changed.

        Example::

            client.update_user("4f9bf619-7993-5ce8-b473-1d769a72e140", fields={"job_title": "Engineer"})

        Source: OpenAPI ``POST /user/{userId}``.
        """
        body = _place(department_id, role, role_id, manageable_department_ids, group_ids)
        if fields is not None:
            body["fields"] = _profile(fields)
        if not body:
            raise ValueError("department_id: nothing is to be changed. Give at least one parameter beside user_id.")
        _UPDATE.send(self._transport, body, user_id=user_id)

    def activate_users(self, user_ids: Ids) -> None:
        """Activate user accounts.

        :param user_ids: the users.
        :raises ValueError: a parameter is invalid; nothing was sent.
        :raises LmsUnconfirmed: nobody knows whether they were activated.

        Source: OpenAPI ``POST /users/activate``.
        """
        _ACTIVATE.send(self._transport, _users(user_ids))

    def deactivate_users(self, user_ids: Ids) -> None:
        """Deactivate user accounts: nobody can log in, and all that belongs to the account stays.

        :param user_ids: the users.
        :raises ValueError: a parameter is invalid; nothing was sent.
        :raises LmsUnconfirmed: nobody knows whether they were deactivated.

        Source: OpenAPI ``POST /users/deactivate``.
        """
        _DEACTIVATE.send(self._transport, _users(user_ids))

    def terminate_users(self, user_ids: Ids) -> None:
        """Mark users as people whose employment has ended (status 5).

        :param user_ids: the users.
        :raises ValueError: a parameter is invalid; nothing was sent.
        :raises LmsUnconfirmed: nobody knows whether they were terminated.

        Source: OpenAPI ``POST /users/terminate``.
        """
        _TERMINATE.send(self._transport, _users(user_ids))

    def schedule_deactivation(self, user_id: str, day: date | str) -> None:
        """Let the LMS deactivate a user account on a day.

        :param user_id: the user.
        :param day: the day, as a date or an ISO 8601 text. In which time zone it begins is not documented.
        :raises ValueError: a parameter is invalid; nothing was sent.
        :raises LmsNotFound: there is no such user.
        :raises LmsUnconfirmed: nobody knows whether the day was set.

        Source: OpenAPI ``POST /user/{userId}/scheduled_deactivation``.
        """
        _SCHEDULE_DEACTIVATION.send(self._transport, _date(day), user_id=user_id)

    def cancel_scheduled_deactivation(self, user_id: str) -> None:
        """Undo :meth:`schedule_deactivation`. What the LMS answers if no day is set is not documented.

        :param user_id: the user.
        :raises LmsNotFound: there is no such user.
        :raises LmsUnconfirmed: nobody knows whether the day was removed.

        Source: OpenAPI ``DELETE /user/{userId}/scheduled_deactivation``.
        """
        _CANCEL_DEACTIVATION.send(self._transport, user_id=user_id)

    def schedule_termination(self, user_id: str, day: date | str) -> None:
        """Let the LMS terminate a user on a day; see :meth:`terminate_users`.

        :param user_id: the user.
        :param day: the day, as a date or an ISO 8601 text. In which time zone it begins is not documented.
        :raises ValueError: a parameter is invalid; nothing was sent.
        :raises LmsNotFound: there is no such user.
        :raises LmsUnconfirmed: nobody knows whether the day was set.

        Source: OpenAPI ``POST /user/{userId}/scheduled_termination``.
        """
        _SCHEDULE_TERMINATION.send(self._transport, _date(day), user_id=user_id)

    def cancel_scheduled_termination(self, user_id: str) -> None:
        """Undo :meth:`schedule_termination`. What the LMS answers if no day is set is not documented.

        :param user_id: the user.
        :raises LmsNotFound: there is no such user.
        :raises LmsUnconfirmed: nobody knows whether the day was removed.

        Source: OpenAPI ``DELETE /user/{userId}/scheduled_termination``.
        """
        _CANCEL_TERMINATION.send(self._transport, user_id=user_id)

    def change_subordination(
        self, user_id: str, *, supervisor: Supervisor | None = None, co_supervisor: Supervisor | None = None
    ) -> None:
        """Say who supervises a user.

        :param user_id: the user.
        :param supervisor: a user's id, ``inherit`` to take the department's, or ``no_supervisor``. None sends nothing;
            both are optional in the OpenAPI document.
        :param co_supervisor: a second supervisor, in the same way.
        :raises ValueError: a parameter is invalid, or both are None; nothing was sent.
        :raises LmsNotFound: there is no such user.
        :raises LmsUnconfirmed: nobody knows whether the supervisor was changed.

        Example::

            client.change_subordination("4f9bf619-7993-5ce8-b473-1d769a72e140", supervisor="inherit")

        Source: OpenAPI ``POST /user/{userId}/subordination``.
        """
        _SUBORDINATION.send(self._transport, supervision(supervisor, co_supervisor), user_id=user_id)

    def set_supervisor(self, user_id: str, supervisor_id: str) -> None:
        """Make one user the supervisor of another: short for :meth:`change_subordination`.

        :param user_id: the user.
        :param supervisor_id: the supervisor, by the user id.
        :raises ValueError: a parameter is invalid; nothing was sent.
        :raises LmsUnconfirmed: nobody knows whether the supervisor was changed.

        Source: OpenAPI ``POST /user/{userId}/subordination``.
        """
        self.change_subordination(user_id, supervisor=parse_id("supervisor_id", supervisor_id))


def _place(
    department_id: str | None,
    role: UserRole | None,
    role_id: str | None,
    manageable_department_ids: Ids | None,
    group_ids: Ids | None,
) -> dict[str, object]:
    """The part of a body that says where a user belongs. What is None is left out."""
    body: dict[str, object] = {}
    if department_id is not None:
        body["departmentId"] = parse_id("department_id", department_id)
        refuse_title("department_id", department_id)
    if role is not None:
        body["role"] = parse_choice("role", role, get_args(UserRole))
    if role_id is not None:
        body["roleId"] = parse_id("role_id", role_id)
    if manageable_department_ids is not None:
        name = "manageable_department_ids"
        body["manageableDepartmentIds"] = parse_required_ids(name, manageable_department_ids)
    if group_ids is not None:
        body["groupIds"] = parse_required_ids("group_ids", group_ids)
    return body


def _profile(fields: Mapping[str, str]) -> dict[str, str]:
    """Profile fields. A message names the field, and never its value, which is about a person."""
    if not isinstance(fields, Mapping) or not fields:
        raise ValueError("fields: expected a dict of at least one profile field.")
    seen: set[str] = set()
    for name, value in fields.items():
        if parse_text("fields", name).lower() in seen:
            raise ValueError(f"fields: {name!r} is given twice, in upper and lower case.")
        seen.add(name.lower())
        if not isinstance(value, str):
            raise ValueError(f"fields: the value of {name!r} must be a text, got {type(value).__name__}.")
    return dict(fields)


def _users(user_ids: Ids) -> dict[str, object]:
    return {"userIds": parse_required_ids("user_ids", user_ids)}


def _date(day: date | str) -> dict[str, object]:
    return {"date": parse_date("day", day).isoformat()}
