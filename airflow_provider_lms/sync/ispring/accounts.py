"""Who there is in an account of iSpring Learn, and whom a plan may touch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_lms.lms.parameters import parse_ids, parse_object
from airflow_provider_lms.sync.matching import Matching
from airflow_provider_lms.sync.reading import records

if TYPE_CHECKING:
    from airflow_provider_lms.lms.ispring import ISpringLearnClient
    from airflow_provider_lms.lms.ispring.listings.organization import Department
    from airflow_provider_lms.lms.ispring.listings.people import User

ACTIVE = 1
"""The ``status`` of a user who can learn."""
FIELDS = "fields."
"""Before the name of a profile field, as in ``fields.EMPLOYEE_NO``."""
_NO_ADMINISTRATORS = ("learner", "publisher", "department_administrator", "studio_author", "supervisor")
_OWN = ("user_id", "email", "login")


def parse_match_by(value: object) -> str:
    """By what people are found.

    :raises ValueError: it is nothing of the kind.
    """
    if isinstance(value, str) and (value in _OWN or (value.startswith(FIELDS) and len(value) > len(FIELDS))):
        return value
    raise ValueError(
        f"match_by: expected {', '.join(_OWN)} or a profile field such as 'fields.EMPLOYEE_NO', got {value!r}."
    )


def person_column(match_by: str) -> str:
    """How the column with people is called, unless a DAG author names it."""
    return match_by.removeprefix(FIELDS)


def key_of(user: User, match_by: str) -> str | None:
    """What people are found by, of one user."""
    if match_by == "user_id":
        return user.user_id
    return profile(user).get(match_by.removeprefix(FIELDS).upper())


def name_of(user: User, match_by: str) -> str | None:
    """How a user whom no row names is called in a plan, so that somebody can tell who it is."""
    return key_of(user, match_by) or profile(user).get("EMAIL")


def profile(user: User) -> dict[str, str]:
    """A user's profile fields that have a value, by upper-case name."""
    fields = user.fields if isinstance(user.fields, Mapping) else {}
    return {str(name).upper(): str(value) for name, value in fields.items() if value not in (None, "")}


def is_same(name: str, found: object, wanted: object) -> bool:
    """Whether a user has a value already.

    :param name: the name of the profile field. The LMS may write logins and e-mail addresses in another case.
    """
    if name in ("LOGIN", "EMAIL") and isinstance(found, str) and isinstance(wanted, str):
        return found.casefold() == wanted.casefold()
    return found == wanted


def is_administrator(user: User) -> bool:
    """Whether a user may administer the LMS, by any role. What a custom or an unknown role may do is not known."""
    roles = user.user_roles if isinstance(user.user_roles, list) else []
    types = {each["roleType"] for each in roles if isinstance(each, Mapping) and each.get("roleType")}
    return not {user.role, *types} <= {*_NO_ADMINISTRATORS}


def manager_of(user: User) -> str | None:
    """Who supervises a user, by id."""
    found = user.subordination if isinstance(user.subordination, Mapping) else {}
    supervisor = found.get("supervisorId")
    return str(supervisor) if supervisor else None


@dataclass(frozen=True)
class Manage:
    """Whom a plan may touch. Everybody, if neither departments nor groups are named; then nothing may be removed.

    :param department_ids: departments, with their sub-departments.
    :param group_ids: groups.
    :param course_ids: courses whose enrollments may be removed, beside those that desired rows name.
    """

    department_ids: tuple[str, ...] = ()
    group_ids: tuple[str, ...] = ()
    course_ids: tuple[str, ...] = ()

    @classmethod
    def parse(cls, value: object, names: Iterable[str]) -> Manage | None:
        """The scope as a DAG author gives it; None if none is given.

        :param names: what may be named.
        :raises ValueError: something else is named, or nothing.
        """
        given, allowed = parse_object("manage", value), [*names]
        if given is None:
            return None
        if not given or not given.keys() <= {*allowed}:
            raise ValueError(f"manage: expected an object with {', '.join(allowed)}, got {value!r}.")
        if empty := [name for name, ids in given.items() if ids is None]:
            raise ValueError(f"manage[{empty[0]!r}]: expected ids, got None. Leave out what is not meant.")
        return cls(**{name: parse_ids(f"manage[{name!r}]", ids) or () for name, ids in given.items()})

    @property
    def names_people(self) -> bool:
        """Whether it says who is managed, and not only which courses."""
        return bool(self.department_ids or self.group_ids)

    def as_settings(self) -> dict[str, Any]:
        """What is named, for the plan."""
        return {name: [*ids] for name, ids in vars(self).items() if ids}


class Accounts:
    """The users of an account, read once.

    :param client: reads the account.
    :param manage: whom the plan may touch; None is everybody.
    """

    def __init__(self, client: ISpringLearnClient, manage: Manage | None) -> None:
        self.users = [*records(client.users())]
        self.by_id = {each.user_id: each for each in self.users}
        self._departments: set[str] = set()
        self._managed = None if manage is None else self._managed_ids(client, manage)

    def by(self, match_by: str) -> Matching[User]:
        """The users by what they are found by."""
        found: Matching[User] = Matching()
        for each in self.users:
            found.add(each, key_of(each, match_by))
        return found

    def is_managed(self, user: User) -> bool:
        """Whether the plan may touch a user."""
        return self._managed is None or user.user_id in self._managed

    def is_managed_department(self, department_id: str | None) -> bool:
        """Whether the plan may put somebody into a department."""
        return self._managed is None or department_id in self._departments or self._managed == {*self.by_id}

    @property
    def managed(self) -> list[User]:
        """The users that the plan may touch."""
        return [each for each in self.users if self.is_managed(each)]

    def _managed_ids(self, client: ISpringLearnClient, manage: Manage) -> set[str]:
        if not manage.department_ids and not manage.group_ids:
            return {*self.by_id}
        if manage.department_ids:
            self._departments = with_sub_departments(manage.department_ids, client)
        found = {each.user_id for each in self.users if each.department_id in self._departments}
        if manage.group_ids:
            found |= {each.user_id for each in records(client.users(group_ids=manage.group_ids))}
        return found


def with_sub_departments(department_ids: Iterable[str], client: ISpringLearnClient) -> set[str]:
    """Departments and everything below them.

    :raises ValueError: the LMS has no such department.
    """
    parents = {each.department_id: each.parent_department_id for each in records(client.departments())}
    wanted = {*department_ids}
    if unknown := sorted(wanted - parents.keys()):
        raise ValueError(f"manage: the LMS has no department {', '.join(unknown)}. Give the ids of departments.")
    return {each for each in parents if wanted & {*_upwards(each, parents)}}


def _upwards(department_id: str | None, parents: Mapping[str, str | None]) -> Iterator[str]:
    seen: set[str] = set()
    while department_id is not None and department_id not in seen:
        seen.add(department_id)
        yield department_id
        department_id = parents.get(department_id)


def departments_by_key(departments: Iterable[Department]) -> Matching[Department]:
    """Departments by id, code and name. A name that several have is ambiguous."""
    found: Matching[Department] = Matching()
    for each in departments:
        found.add(each, each.department_id, each.code, each.name)
    return found
