"""What a dataset keeps for a later run that reads only what has changed.

Some listings are read one learner at a time. Beside their rows, a dataset keeps in which state each learner was before
they were read. A later run carries over the rows of those who are still in that state.
"""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_provider_lms import clock
from airflow_provider_lms.storage.documents import Timestamp, UnreadableDocument, decode
from airflow_provider_lms.storage.errors import ManifestError
from airflow_provider_lms.storage.files import Location, child, folder, read_bytes, write_bytes
from airflow_provider_lms.storage.manifest import AttachedFile, Manifest, find
from airflow_provider_lms.storage.reader import read_parts
from airflow_provider_lms.tables.columns import Columns

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_lms.storage.dataset import Description

log = logging.getLogger(__name__)

VERSION = 1


class State(msgspec.Struct, kw_only=True, frozen=True):
    """In which state a learner was before their rows were read.

    :param key: stands for the learner, without telling who that is.
    :param state: differs from state to state, and tells nothing else.
    :param read_at: a date before the state was read.
    """

    key: str
    state: str
    read_at: Timestamp


class _States(msgspec.Struct, kw_only=True):
    version: int = VERSION
    states: list[State]


class Previous:
    """A committed dataset whose rows can be carried over.

    :param directory: its folder.
    :param manifest: its manifest.
    :param states: the states by key.
    """

    def __init__(self, directory: ObjectStoragePath, manifest: Manifest, states: Mapping[str, State]) -> None:
        self.manifest = manifest
        self.states = states
        self._directory = directory

    def rows(self) -> Iterator[dict[str, Any]]:
        """Its rows, one after the other, as :func:`~airflow_provider_lms.storage.read_records` returns them.

        :raises FileNotFoundError: it was replaced twice meanwhile.
        """
        return read_parts(self._directory, self.manifest)


def put_states(directory: ObjectStoragePath, states: Sequence[State]) -> AttachedFile:
    """Write the states of a dataset, completely or not at all.

    :param directory: the dataset's folder.
    """
    name = f"states-{clock.utcnow():%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}.json"
    content = msgspec.json.encode(_States(states=list(states)))
    write_bytes(child(directory, name), content)
    return AttachedFile(name=name, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def find_previous(
    source: Location | Mapping[str, Any],
    description: Description,
    *,
    may_differ: Set[str] = frozenset(),
    takes_new_fields: bool = True,
) -> Previous | None:
    """An earlier dataset, if its rows can be carried over into the one that is described. If not, the log says why.

    :param source: its folder, or its summary.
    :param may_differ: the parameters of the query that only say which learners are read.
    :param takes_new_fields: whether rows may have fields that are not declared.
    :raises StorageError: the folder cannot be read.
    """
    directory = folder("previous", source["uri"] if isinstance(source, Mapping) else source)
    try:
        manifest = find(directory)
        if manifest is None:
            log.info("previous: no dataset was committed to %s yet, so everything is read.", directory)
            return None
        _check_fits(manifest, description, may_differ)
        if manifest.new_fields and not takes_new_fields:
            raise _DoesNotFit("its rows have fields that schema_contract='freeze' does not take")
        return Previous(directory, manifest, {each.key: each for each in _read_states(directory, manifest)})
    except (_DoesNotFit, ManifestError) as error:
        log.warning("previous: rows of %s are not carried over: %s. Everything is read.", directory, error)
        return None


class _DoesNotFit(Exception):
    """Why the rows of a dataset cannot be carried over."""


def _check_fits(manifest: Manifest, description: Description, may_differ: Set[str]) -> None:
    def selection(query: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in query.items() if name not in may_differ}

    if not manifest.complete:
        raise _DoesNotFit("max_pages cut it short")
    if not manifest.consistent:
        raise _DoesNotFit("records came or went while it was read, so it may lack some")
    pairs: Sequence[tuple[str, object, object]] = (
        ("listings", manifest.resource, description.resource),
        ("accounts", manifest.host, description.host),
        ("filters", selection(manifest.query), selection(description.query)),
        ("schema versions", manifest.schema_version, description.schema_version),
        ("columns", manifest.schema, Columns(description.record).schema()),
        ("secrets for hashes", manifest.hash_key_id, description.hash_key_id),
    )
    different = [what for what, theirs, ours in pairs if theirs != ours]
    if different:
        raise _DoesNotFit(f"it has other {', '.join(different)}")


def _read_states(directory: ObjectStoragePath, manifest: Manifest) -> list[State]:
    if manifest.states is None:
        raise _DoesNotFit("it was written without 'previous', so it does not tell in which state each learner was")
    name = manifest.states.name
    try:
        content = read_bytes(child(directory, name))
    except FileNotFoundError:
        raise _DoesNotFit(f"{name} is gone") from None
    if hashlib.sha256(content).hexdigest() != manifest.states.sha256:
        raise _DoesNotFit(f"{name} is damaged")
    try:
        found = decode(content, _States)
    except UnreadableDocument as error:
        raise _DoesNotFit(f"{name} cannot be read ({error})") from None
    if found.version != VERSION:
        raise _DoesNotFit(f"{name} has version {found.version}, and this package reads version {VERSION}")
    return found.states
