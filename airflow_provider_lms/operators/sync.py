"""What the operators share that bring an LMS into a desired state: make a plan, or apply one that was approved."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeAlias, TypedDict, TypeVar, Unpack, get_args

from airflow.providers.common.compat.sdk import BaseOperator, conf

from airflow_provider_lms.killing import Killable
from airflow_provider_lms.operators.options import Compression, OutputFormat, TaskOptions

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

    from airflow_provider_lms.hooks.base import ClientOptions
    from airflow_provider_lms.lms.client import LmsClient
    from airflow_provider_lms.operators.waiting import Waiting
    from airflow_provider_lms.storage.parts import PartOptions
    from airflow_provider_lms.sync.apply import Target
    from airflow_provider_lms.sync.plan import Plan

C = TypeVar("C", bound="LmsClient")
PART_BYTES = 134_217_728
PART_SECONDS = 86_400.0
"""A plan or a report is one file, unless it is very large."""
Mode: TypeAlias = Literal["plan", "apply"]


class SyncOptions(TaskOptions, total=False):
    """The parameters of every operator that changes an LMS.

    They are described at :class:`LmsSyncOperator`.
    """

    mode: Mode
    desired: Any
    columns: Mapping[str, str | int] | None
    manage: Mapping[str, Any] | None
    max_changes: int
    max_removals: int | str
    plan: Any
    approved_hash: str | None
    output_path: str | ObjectStoragePath
    output_format: OutputFormat
    compression: Compression | None
    max_wait: float
    deferrable: bool


class PlanSummary(TypedDict):
    """What a task returns that makes a plan. Nobody is named in it.

    :param plan: the folder with the plan.
    :param sha256: its hash, which an approval names.
    :param changes: how many changes there are of each action.
    :param skipped: how often something is skipped, by reason.
    :param unchanged: how many desired rows the LMS fulfills already.
    :param summary: all of this in Markdown, for people.
    """

    plan: str
    sha256: str
    changes: dict[str, int]
    skipped: dict[str, int]
    unchanged: int
    summary: str


class ReportSummary(TypedDict):
    """What a task returns that applies a plan. Nobody is named in it.

    :param report: the folder with the report: a dataset with each change and its outcome.
    :param sha256: the plan's hash.
    :param outcomes: how often there was each outcome.
    :param summary: all of this in Markdown, for people.
    """

    report: str
    sha256: str
    outcomes: dict[str, int]
    summary: str


class HiddenRows:
    """Rows of another task. As text, as Airflow stores rendered parameters, they only say how many they are."""

    def __init__(self, rows: Sequence[Any]) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def __repr__(self) -> str:
        return f"<{len(self._rows):,} rows>"


class LmsSyncOperator(Killable, BaseOperator, Generic[C]):
    """Base of the operators that bring an LMS into a desired state.

    With ``mode="plan"`` the task compares the desired state with the LMS, and writes what would have to change. Nothing
    is sent that changes anything. With ``mode="apply"`` it applies a plan whose hash somebody has approved.

    :param mode: ``plan`` or ``apply`` (templated).
    :param desired: for a plan: a dataset (its folder, or what the task that wrote it has returned), a file
        (``.csv`` with a header, ``.jsonl`` or ``.parquet``), or rows of another task (templated).
    :param columns: how the columns of ``desired`` are called, by this package's name: a name, or a place counted from 0
        if the rows are sequences, such as those of a SQL query (templated). None takes this package's names.
    :param manage: whom the plan may touch (templated). None is everybody, but then nothing can be removed.
    :param max_changes: a plan with more changes must not be applied, and the task that makes it fails (templated).
    :param max_removals: the most people who may lose an enrollment or their account; with more, the plan must not be
        applied. A number, or a share such as ``5%`` of the managed people who have something to lose (templated).
    :param plan: to apply: the folder of the plan, or what the task that made it has returned (templated).
    :param approved_hash: to apply: the hash of the plan that somebody has approved (templated).
    :param output_path: the folder for the plan, or for the report about what came of it (templated). A plan is
        personal data.
    :param output_format: ``jsonl``, ``csv`` or ``parquet`` (with the extra ``parquet``; templated).
    :param compression: ``none``, ``gzip`` or ``zstd`` (with the extra ``zstd``, unless for Parquet; templated).
    :param max_wait: seconds that one request may wait for a rate limit before the task fails. With ``deferrable``, how
        long an outage may last.
    :param deferrable: with ``mode="apply"``, give the worker slot back for each wait of half a minute or more: for the
        rate limit, a lock, the limit of the day, or the end of an outage. The journal says where to go on, and the
        report shows what was done so far. The default is Airflow's ``[operators] default_deferrable``.
    """

    kind: ClassVar[str]
    """What it changes, such as ``enrollments``."""
    template_fields: Sequence[str] = (
        "mode",
        "desired",
        "columns",
        "manage",
        "max_changes",
        "max_removals",
        "plan",
        "approved_hash",
        "output_path",
        "output_format",
        "compression",
    )
    ui_color = "#fdebd0"

    def __init__(
        self,
        *,
        output_path: str | ObjectStoragePath,
        mode: Mode = "plan",
        desired: Any = None,
        columns: Mapping[str, str | int] | None = None,
        manage: Mapping[str, Any] | None = None,
        max_changes: int = 100,
        max_removals: int | str = "5%",
        plan: Any = None,
        approved_hash: str | None = None,
        output_format: OutputFormat = "jsonl",
        compression: Compression | None = None,
        max_wait: float = 900.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **task: Unpack[TaskOptions],
    ) -> None:
        super().__init__(**task)
        self.output_path = output_path
        self.mode = mode
        self.desired = desired
        self.columns = columns
        self.manage = manage
        self.max_changes = max_changes
        self.max_removals = max_removals
        self.plan = plan
        self.approved_hash = approved_hash
        self.output_format = output_format
        self.compression = compression
        self.max_wait = max_wait
        self.deferrable = deferrable

    def render_template_fields(self, context: Context, jinja_env: Any = None) -> None:
        """Render the templated parameters. Rows are kept out of what Airflow shows of them: they are about people."""
        super().render_template_fields(context, jinja_env)
        if isinstance(self.desired, list | tuple):
            self.desired = HiddenRows(self.desired)

    @abstractmethod
    def connect(self, options: ClientOptions) -> C:
        """Open the client."""

    @abstractmethod
    def make_plan(self, client: C) -> Plan:
        """Compare the desired state with the LMS."""

    @abstractmethod
    def check_plan_parameters(self) -> None:
        """Check what a plan is made by, before the first request.

        :raises ValueError: a parameter is invalid; it is named.
        """

    @abstractmethod
    def target(self, client: C, settings: Mapping[str, Any]) -> Target:
        """What a plan is applied to.

        :param settings: those of the plan.
        """

    def execute(self, context: Context) -> PlanSummary | ReportSummary:
        """Make a plan, or apply one.

        :return: :class:`PlanSummary` or :class:`ReportSummary`.
        :raises ValueError: a parameter is invalid; it is named.
        :raises AirflowFailException: the plan must not be applied: it is not the one that was approved, or it changes
            too much. Or the LMS has refused a change. Plan and report are written all the same.
        :raises LmsError: the LMS could not be read or written. A retry of an applying task goes on where it stopped.
        """
        from airflow_provider_lms.operators.waiting import Waiting

        return self._execute(context, Waiting())

    def execute_after_wait(
        self,
        context: Context,
        event: Any = None,  # noqa: ARG002
        *,
        waiting: Mapping[str, Any],
    ) -> PlanSummary | ReportSummary:
        """Go on after the task has given its worker slot back. The journal says where."""
        from airflow_provider_lms.operators.waiting import Waiting

        return self._execute(context, Waiting.of(waiting))

    def _execute(self, context: Context, waiting: Waiting) -> PlanSummary | ReportSummary:
        from airflow.providers.common.compat.sdk import AirflowFailException

        from airflow_provider_lms.failures import fail_if_refused
        from airflow_provider_lms.hooks.base import ClientOptions
        from airflow_provider_lms.lms.errors import LmsError
        from airflow_provider_lms.lms.http.rate_limit import CoordinationError
        from airflow_provider_lms.lms.http.retry import RetryPolicy
        from airflow_provider_lms.lms.parameters import parse_choice, parse_float
        from airflow_provider_lms.operators.waiting import give_slot_back
        from airflow_provider_lms.storage.formats import Format
        from airflow_provider_lms.storage.parts import PartOptions
        from airflow_provider_lms.sync.plan import PlanRefused

        mode: Mode = parse_choice("mode", self.mode, get_args(Mode))
        parts = PartOptions(Format.chosen(self.output_format, self.compression), PART_BYTES, PART_SECONDS)
        max_wait = parse_float("max_wait", self.max_wait, 0)
        self._check_parameters(mode)
        options = ClientOptions(retry=RetryPolicy(max_wait=max_wait))
        can_defer = self.deferrable and mode == "apply" and "ti" in context
        if can_defer:
            options = ClientOptions(retry=waiting.retry_policy(max_wait), reservation=waiting.reservation)
        with closing(self.connect(options)) as client, self._killable():
            waiting.report(client.observer)
            try:
                if mode == "plan":
                    return self._plan(client, context, parts)
                return self._apply(client, context, parts)
            except PlanRefused as error:
                raise AirflowFailException(str(error)) from error
            except (LmsError, CoordinationError) as error:
                if can_defer and error.transient:
                    give_slot_back(self, client, error, waiting, max_wait)
                elif isinstance(error, LmsError):
                    fail_if_refused(self, error)
                raise

    def desired_rows(
        self, known: Sequence[str], required: Sequence[str], defaults: Mapping[str, str | int]
    ) -> Iterator[dict[str, Any]]:
        """The desired rows by this package's names.

        :param known: these names.
        :param required: those that every row must have as a column.
        :param defaults: how columns are called if ``columns`` does not say so.
        """
        from airflow_provider_lms.sync.desired import read_desired

        return read_desired(self.desired, self.columns, known, required, defaults)

    def _check_parameters(self, mode: Mode) -> None:
        foreign = ("plan", "approved_hash") if mode == "plan" else ("desired",)
        for name in foreign:
            if getattr(self, name) is not None:
                raise ValueError(f"{name}: leave it out with mode={mode!r}.")
        needed = ("desired",) if mode == "plan" else ("plan", "approved_hash")
        for name in needed:
            if getattr(self, name) is None:
                raise ValueError(f"{name}: mode={mode!r} needs it.")
        if mode == "plan":
            self.check_plan_parameters()

    def _plan(self, client: C, context: Context, parts: PartOptions) -> PlanSummary:
        from airflow_provider_lms.storage.manifest import TaskInstanceKey
        from airflow_provider_lms.sync.plan import PlanRefused
        from airflow_provider_lms.sync.plan_files import write_plan
        from airflow_provider_lms.sync.summary import summarize_plan

        plan = self.make_plan(client)
        location = write_plan(plan, "output_path", self.output_path, TaskInstanceKey.of(context), parts)["uri"]
        text = summarize_plan(plan, location)
        self.log.info("%s", text)
        if plan.refusals:
            raise PlanRefused(
                f"The plan in {location} must not be applied. {' '.join(plan.refusals)} If this is meant, raise the "
                "limit and make a new plan."
            )
        return PlanSummary(
            plan=location,
            sha256=plan.sha256,
            changes=plan.counts(),
            skipped=plan.skipped(),
            unchanged=plan.unchanged,
            summary=text,
        )

    def _apply(self, client: C, context: Context, parts: PartOptions) -> ReportSummary:
        from airflow_provider_lms.storage.dataset import Dataset
        from airflow_provider_lms.storage.files import check_can_write, folder
        from airflow_provider_lms.storage.manifest import TaskInstanceKey
        from airflow_provider_lms.sync.apply import Applier
        from airflow_provider_lms.sync.journal import Journal
        from airflow_provider_lms.sync.plan_files import load_plan, plan_folder, write_report
        from airflow_provider_lms.sync.summary import outcomes, summarize_report

        directory = plan_folder(self.plan)
        if str(directory) == str(folder("output_path", self.output_path)):
            raise ValueError("output_path: give the report another folder. In this one it would replace the plan.")
        report, run = folder("output_path", self.output_path), TaskInstanceKey.of(context)
        check_can_write("output_path", report)
        Dataset(report, run, "replace").committed_summary()  # raises if the folder belongs to another mapped task
        plan = load_plan(directory)
        plan.check_approved(self.approved_hash, self.kind, client.asset_root or "")
        check_can_write("plan", directory)
        applier = Applier(self.target(client, plan.settings), Journal(directory, plan.sha256))
        is_repeated = bool(plan.counts()) and not applier.left(plan)
        try:
            applier.apply(plan)
        finally:
            # Also if the LMS has failed in the middle: what was done is to be known.
            rows = applier.report(plan)
            location = write_report(plan, rows, "output_path", self.output_path, run, parts)["uri"]
            text = summarize_report(plan, rows, location, is_repeated=is_repeated)
            self.log.info("%s", text)
        result = ReportSummary(report=location, sha256=plan.sha256, outcomes=outcomes(rows), summary=text)
        self._fail_if_not_done(result)
        return result

    def _fail_if_not_done(self, result: ReportSummary) -> None:
        from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

        from airflow_provider_lms.sync.changes import Outcome

        refused, unconfirmed = (result["outcomes"].get(each, 0) for each in (Outcome.REFUSED, Outcome.UNCONFIRMED))
        if unconfirmed:
            raise AirflowException(
                f"{unconfirmed:,} changes were sent and cannot be confirmed. A retry reads them again. The report is "
                f"in {result['report']}. A new plan shows what is still missing."
            )
        if refused:
            raise AirflowFailException(
                f"The LMS has refused {refused:,} of the changes. The report in {result['report']} says which and why."
            )
