"""The people of a simulated company, and the departments and groups that they are in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

ACTIVE, BLOCKED, TERMINATED = 1, 3, 5

SubordinationType: TypeAlias = Literal["manual", "inherit", "no_supervisor"]


@dataclass(frozen=True)
class Subordination:
    """Who supervises a user, or the users of a department.

    :param supervisor_id: only if the type is ``manual``.
    """

    type: SubordinationType = "no_supervisor"
    supervisor_id: str | None = None

    @classmethod
    def to(cls, supervisor_id: str | None) -> Subordination:
        """To this supervisor; None is to nobody."""
        return cls() if supervisor_id is None else cls("manual", supervisor_id)


@dataclass(frozen=True)
class Department:
    id: str
    name: str
    parent_id: str | None
    code: str | None = None
    subordination: Subordination = Subordination()
    co_subordination: Subordination = Subordination()


@dataclass(frozen=True)
class Role:
    """A role of a user.

    :param type: one of the vendor's types, such as ``learner``.
    :param manageable_department_ids: the departments that the user may manage in this role.
    """

    id: str
    type: str = "learner"
    manageable_department_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class User:
    """A user.

    :param last_login: None if the user has never logged in.
    :param chosen_login: None is the part of the e-mail address before the ``@``.
    :param profile: the other fields of the profile, in pairs of name and value. Names are in upper case.
    :param roles: all roles; empty if ``role`` is the only one.
    """

    id: str
    first_name: str
    last_name: str
    email: str
    department_id: str
    status: int
    added: datetime
    last_login: datetime | None
    role_id: str
    subordination: Subordination = Subordination()
    co_subordination: Subordination = Subordination()
    chosen_login: str | None = None
    profile: tuple[tuple[str, str], ...] = ()
    role: str = "learner"
    roles: tuple[Role, ...] = ()
    manageable_department_ids: tuple[str, ...] = ()

    @property
    def login(self) -> str:
        return self.email.partition("@")[0] if self.chosen_login is None else self.chosen_login

    @property
    def supervisor_id(self) -> str | None:
        return self.subordination.supervisor_id


@dataclass(frozen=True)
class Group:
    id: str
    name: str
    is_smart: bool
    members: tuple[User, ...]
