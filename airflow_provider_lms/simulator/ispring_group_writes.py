"""Writes to groups of the simulated iSpring Learn."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import replace

from airflow_provider_lms.simulator import ispring_bodies as bodies
from airflow_provider_lms.simulator.ispring_account import ISpringAccount
from airflow_provider_lms.simulator.ispring_enrollment_writes import users_of
from airflow_provider_lms.simulator.ispring_requests import Refused
from airflow_provider_lms.simulator.ispring_state import Team
from airflow_provider_lms.simulator.people import User


def create(account: ISpringAccount, body: bodies.NewGroup) -> str:
    users = users_of(account, map(str, body.user_ids))
    team = Team(str(uuid.uuid4()), body.name, is_smart=False, members=dict.fromkeys(user.id for user in users))
    account.state.groups[team.id] = team
    return team.id


def update(account: ISpringAccount, body: bodies.UpdateGroup, group_id: str) -> None:
    account.state.groups[group_id] = replace(_team(account, group_id), name=body.name)


def set_members(account: ISpringAccount, body: bodies.UpdateGroupMembers, group_id: str) -> None:
    team = _team(account, group_id)
    _refuse_smart([team])
    users = users_of(account, map(str, body.user_ids))
    kept = {} if account.group_members == "replaced" else team.members
    account.state.groups[group_id] = replace(team, members={**kept, **dict.fromkeys(user.id for user in users)})


def teams_of(account: ISpringAccount, group_ids: Iterable[str]) -> list[Team]:
    """The groups that a body names.

    :raises Refused: one does not exist, or has its members by a rule.
    """
    groups, found = account.state.groups, dict.fromkeys(group_ids)
    if found.keys() - groups.keys():
        raise Refused(400, "Unknown group")
    teams = [groups[each] for each in found]
    _refuse_smart(teams)
    return teams


def join(account: ISpringAccount, user: User, teams: Iterable[Team]) -> None:
    """Add a user to groups."""
    for team in teams:
        members = account.state.groups[team.id].members
        account.state.groups[team.id] = replace(team, members={**members, user.id: None})


def leave(account: ISpringAccount, user: User, teams: Iterable[Team]) -> None:
    """Take a user out of groups, but not out of those that have their members by a rule."""
    for team in list(teams):
        if not team.is_smart:
            members = {each: None for each in team.members if each != user.id}
            account.state.groups[team.id] = replace(team, members=members)


def _team(account: ISpringAccount, group_id: str) -> Team:
    if (team := account.state.groups.get(group_id)) is None:
        raise Refused(404, "Unknown group")
    return team


def _refuse_smart(teams: Iterable[Team]) -> None:
    if any(team.is_smart for team in teams):
        raise Refused(400, "The members of a smart group follow from its rule")
