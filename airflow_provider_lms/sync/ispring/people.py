"""Plans people in iSpring Learn: who has an account, in which department, under which manager."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from airflow_provider_lms.sync.builder import PlanBuilder
from airflow_provider_lms.sync.changes import Action, Reason
from airflow_provider_lms.sync.desired import as_bool, as_text
from airflow_provider_lms.sync.ispring.accounts import (
    ACTIVE,
    FIELDS,
    Accounts,
    Manage,
    departments_by_key,
    is_administrator,
    is_same,
    manager_of,
    name_of,
    profile,
)
from airflow_provider_lms.sync.reading import records

if TYPE_CHECKING:
    from airflow_provider_lms.lms.ispring import ISpringLearnClient
    from airflow_provider_lms.lms.ispring.listings.people import User
    from airflow_provider_lms.sync.limits import Limits
    from airflow_provider_lms.sync.plan import Plan

COLUMNS = ("person", "login", "email", "department", "manager", "active")
"""What a desired row may say, by our names, beside profile fields."""
REQUIRED = ("person",)
MANAGED = ("department_ids", "group_ids")

Removals: TypeAlias = Literal["never", "deactivate", "deactivate_listed"]

NAMED_IN_UPDATES = ("LOGIN", "EMAIL")
"""Profile fields that the OpenAPI document requires in each update. Whether the LMS insists is not known."""
_INACTIVE = 3


@dataclass(frozen=True)
class PeopleOptions:
    """How people are planned.

    :param match_by: what people are found by.
    :param manage: whom the plan may touch; None is everybody, and then nobody is deactivated for not being listed.
    :param removals: ``deactivate_listed`` deactivates those whose row says that they are not active; ``deactivate``
        also managed people without a row.
    :param create: whether people who are not found get an account.
    :param send_invitation: whether they are invited by e-mail.
    :param limits: how much may change.
    """

    match_by: str
    manage: Manage | None
    removals: Removals
    create: bool
    send_invitation: bool
    limits: Limits


class _Wanted(NamedTuple):
    """A desired row. What is None is not compared."""

    number: int
    person: str | None
    department: str | None
    manager: str | None
    active: bool | None
    fields: Mapping[str, str]


def plan_people(client: ISpringLearnClient, rows: Iterable[Mapping[str, Any]], options: PeopleOptions) -> Plan:
    """Compare desired people with the account. Sends nothing that changes anything.

    :param rows: each with ``person``, and perhaps ``login``, ``email``, ``department`` (an id, a code or a name),
        ``manager`` (found as people are), ``active``, and profile fields such as ``fields.JOB_TITLE``.
    :raises ValueError: a row says neither yes nor no in ``active``, or there are no rows.
    :raises InconsistentRead: the account changed while it was read.
    :raises LmsError: the account could not be read to the end.
    """
    wanted = [_wanted(number, row, options.match_by) for number, row in enumerate(rows, 1)]
    return _Planner(client, wanted, options).plan()


class _Planner:
    def __init__(self, client: ISpringLearnClient, wanted: Sequence[_Wanted], options: PeopleOptions) -> None:
        self._client = client
        self._wanted = wanted
        self._options = options
        self._accounts = Accounts(client, options.manage)
        self._people = self._accounts.by(options.match_by)
        self._departments = departments_by_key(records(client.departments()))
        self._unique = {name: self._accounts.by(name.lower()) for name in NAMED_IN_UPDATES}
        self._wanted_people = {each.person.casefold() for each in wanted if each.person is not None}
        self._claimed: set[tuple[str, str]] = set()
        self._without_manager = 0
        self._named: set[str] = set()
        """Whom rows name, or may name. Nobody of them is deactivated for not being named."""
        self._plan = PlanBuilder("people")

    def plan(self) -> Plan:
        seen: set[str] = set()
        for row in self._wanted:
            before = len(self._plan)
            self._plan_row(row, seen)
            self._plan.unchanged += len(self._plan) == before
        options = self._options
        if options.removals == "deactivate" and options.manage is not None:
            self._deactivate_others()
        settings = {
            "match_by": options.match_by,
            "manage": options.manage and options.manage.as_settings(),
            "removals": options.removals,
            "create": options.create,
            "send_invitation": options.send_invitation,
        }
        if self._without_manager:
            self._plan.notes.append(
                f"New people who get their manager by the next plan, once they exist: {self._without_manager:,}."
            )
        if not self._people:
            self._plan.notes.append(f"Nobody in the account has a value in {options.match_by}, so nobody was found.")
        active = sum(each.status == ACTIVE for each in self._accounts.managed)
        return self._plan.plan(self._client.asset_root, settings, options.limits, active)

    def _plan_row(self, row: _Wanted, seen: set[str]) -> None:
        """Plan what one row asks for.

        :param seen: whom earlier rows are about, by id or by the key of a new person; the row's own is added.
        """
        user, reason, candidates = self._people.find(row.person)
        self._named.update(each.user_id for each in (*candidates, *self._holders(row.fields)))
        key = (row.person or "").casefold() if user is None else user.user_id
        if reason in (None, Reason.NOT_FOUND) and key in seen:
            self._skip(row, user, Reason.DUPLICATE)
            return
        seen.add(key)
        if user is not None:
            self._plan_user(row, user)
        elif reason != Reason.NOT_FOUND:
            self._skip(row, None, reason)
        elif row.active is not False:
            self._create(row)

    def _holders(self, fields: Mapping[str, str]) -> list[User]:
        """Who has the login or the e-mail address of a row."""
        return [each for name in NAMED_IN_UPDATES for each in self._unique[name].find(fields.get(name)).candidates]

    def _is_taken(self, fields: Mapping[str, str], user: User | None) -> bool:
        """Whether somebody else has the login or the e-mail address, or an earlier row asks for it. Then it is ours."""
        claims = {(name, fields[name].casefold()) for name in NAMED_IN_UPDATES if name in fields}
        if claims & self._claimed or any(each is not user for each in self._holders(fields)):
            return True
        self._claimed |= claims
        return False

    def _plan_user(self, row: _Wanted, user: User) -> None:
        if not self._accounts.is_managed(user):
            self._skip(row, user, Reason.OUT_OF_SCOPE)
        elif row.active is False:
            if user.status == ACTIVE:
                self._deactivate(user, row)
        elif user.status != ACTIVE and (row.active is None or user.status != _INACTIVE):
            self._skip(row, user, Reason.INACTIVE)
        else:
            if user.status != ACTIVE:
                self._add(Action.ACTIVATE, row, user, {"status": user.status}, {"status": ACTIVE})
            self._move(row, user)
            self._update(row, user)
            self._set_manager(row, user)

    def _create(self, row: _Wanted) -> None:
        if (reason := self._why_not_created(row)) is not None:
            self._skip(row, None, reason)
            return
        department = self._departments.find(row.department).found
        new: dict[str, Any] = {
            "login": row.fields["LOGIN"],
            "email": row.fields["EMAIL"],
            "department_id": department and department.department_id,
            "fields": {name: value for name, value in row.fields.items() if name not in NAMED_IN_UPDATES},
        }
        self._add(Action.CREATE, row, None, {"user_id": None}, new)
        if row.manager is None:
            return
        if row.manager.casefold() in self._wanted_people or self._people.find(row.manager).found is not None:
            self._without_manager += 1
        else:
            self._skip(row, None, Reason.UNKNOWN_MANAGER)

    def _why_not_created(self, row: _Wanted) -> Reason | None:
        # An id is the LMS's own, so nobody can be created by one: it is mistyped, or its owner was deleted.
        if not self._options.create or self._options.match_by == "user_id":
            return Reason.NOT_FOUND
        if row.department is None or not row.fields.keys() >= {*NAMED_IN_UPDATES}:
            return Reason.LACKS_VALUES
        department = self._departments.find(row.department).found
        if department is None:
            return Reason.UNKNOWN_DEPARTMENT
        if not self._accounts.is_managed_department(department.department_id):
            return Reason.OUT_OF_SCOPE
        return Reason.TAKEN if self._is_taken(row.fields, None) else None

    def _move(self, row: _Wanted, user: User) -> None:
        if row.department is None:
            return
        department = self._departments.find(row.department).found
        if department is None:
            self._skip(row, user, Reason.UNKNOWN_DEPARTMENT)
        elif department.department_id != user.department_id:
            if not self._accounts.is_managed_department(department.department_id):
                self._skip(row, user, Reason.OUT_OF_SCOPE)
                return
            old, new = {"department_id": user.department_id}, {"department_id": department.department_id}
            self._add(Action.MOVE, row, user, old, new)

    def _update(self, row: _Wanted, user: User) -> None:
        found = profile(user)
        new = {name: value for name, value in row.fields.items() if not is_same(name, found.get(name), value)}
        if not new:
            return
        if self._is_taken(new, user):
            self._skip(row, user, Reason.TAKEN)
            return
        # The request must name login and e-mail address as well, so they must not change in between.
        old = {name: found.get(name) for name in (*NAMED_IN_UPDATES, *new)}
        self._add(Action.UPDATE, row, user, old, new)

    def _set_manager(self, row: _Wanted, user: User) -> None:
        if row.manager is None:
            return
        manager = self._people.find(row.manager).found
        if manager is None or manager.user_id == user.user_id:
            self._skip(row, user, Reason.UNKNOWN_MANAGER)
        elif manager.user_id != manager_of(user):
            self._add(Action.SET_MANAGER, row, user, {"manager_id": manager_of(user)}, {"manager_id": manager.user_id})

    def _deactivate(self, user: User, row: _Wanted | None) -> None:
        if self._options.removals == "never":
            self._skip(row, user, Reason.REMOVALS_OFF)
        elif is_administrator(user):
            self._skip(row, user, Reason.ADMINISTRATOR)
        else:
            # Whoever was moved or got another role since is left alone.
            old = {"status": ACTIVE, "department_id": user.department_id, "role": user.role}
            self._add(Action.DEACTIVATE, row, user, old, {"status": _INACTIVE})

    def _deactivate_others(self) -> None:
        for user in self._accounts.managed:
            if user.status == ACTIVE and user.user_id not in self._named:
                self._deactivate(user, None)

    def _add(
        self, action: Action, row: _Wanted | None, user: User | None, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> None:
        person_id = None if user is None else user.user_id
        self._plan.add(action, old, new, row and row.number, person=self._name(row, user), person_id=person_id)

    def _skip(self, row: _Wanted | None, user: User | None, reason: Reason | None) -> None:
        person_id = None if user is None else user.user_id
        self._plan.skip(reason, row and row.number, person=self._name(row, user), person_id=person_id)

    def _name(self, row: _Wanted | None, user: User | None) -> str | None:
        if row is not None:
            return row.person
        return None if user is None else name_of(user, self._options.match_by)


def columns_for(columns: object) -> Iterator[str]:
    """The names that a desired row may have: those of this package, and the profile fields that ``columns`` names."""
    yield from COLUMNS
    if isinstance(columns, Mapping):
        yield from (name for name in columns if isinstance(name, str) and name.startswith(FIELDS))


def _wanted(number: int, row: Mapping[str, Any], match_by: str) -> _Wanted:
    person = as_text(row.get("person"))
    given = {
        name.removeprefix(FIELDS).upper(): as_text(value) for name, value in row.items() if name.startswith(FIELDS)
    }
    given |= {name.upper(): as_text(row.get(name)) for name in ("login", "email")}
    if match_by != "user_id":
        given[match_by.removeprefix(FIELDS).upper()] = person
    try:
        active = as_bool("active", row.get("active"))
    except ValueError as error:
        raise ValueError(f"desired: row {number}: {error}") from None
    return _Wanted(
        number,
        person,
        as_text(row.get("department")),
        as_text(row.get("manager")),
        active,
        {name: value for name, value in given.items() if value is not None},
    )
