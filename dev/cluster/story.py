"""What happens in the cluster, step by step, and what is found."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from statistics import mean
from typing import NamedTuple

from airflow_provider_lms.operators.waiting import LEAVING
from airflow_provider_lms.simulator import Simulator
from dev.airflow_api import FINISHED
from dev.cluster import checks
from dev.cluster.components import SLOTS, TRIGGERERS, WORKERS, Cluster
from dev.cluster.plan import DEFERRING, DISTURBED, ISPRING, REQUIRED, SENSORS, WAITING, ZOHO, Size
from dev.cluster.samples import Sampler
from dev.cluster.services import BUCKET, forget
from dev.redis_server import RedisServer

_AWAY_SECONDS = 5.0
_PATIENCE = 900.0


class Run(NamedTuple):
    """A DAG run.

    :param path: in the REST API.
    :param output: where its datasets are.
    """

    dag: str
    path: str
    output: str


class Story:
    """Runs DAGs, breaks the cluster meanwhile, and keeps what it sees.

    ``problems`` is what went wrong, in words.

    :param lms: the simulators by the DAG that reads them.
    :param started: when the cluster was started, on the monotonic clock.
    """

    def __init__(
        self,
        cluster: Cluster,
        sampler: Sampler,
        redis: RedisServer,
        lms: dict[str, Simulator],
        size: Size,
        started: float,
    ) -> None:
        self.problems: list[str] = []
        self._cluster, self._sampler, self._redis, self._lms, self._size = cluster, sampler, redis, lms, size
        self._started = started
        self._rows = self._datasets = 0

    def say(self, line: str) -> None:
        print(f"{time.monotonic() - self._started:5.0f} s  {line}", flush=True)

    def tell(self) -> None:
        """All of it."""
        if self._size.compare:
            self._alone()
            for dag in (WAITING, DEFERRING):
                self._beside(dag)
        if self._size.disturb:
            self._disturbed()
        self.say(f"{self._datasets} datasets with {self._rows:,} rows are equal to the LMSs', row by row.")
        self.say(f"All processes together used at most {self._sampler.most_memory / 1e9:.1f} GB.")

    def _alone(self) -> None:
        run = self._trigger(ISPRING, "alone")
        self._finish(run)
        self.say(f"iSpring alone: {self._size.tasks} tasks took {self._seconds(run):.0f} s.")
        self._check(run)

    def _beside(self, dag: str) -> None:
        """Read iSpring while tasks of Zoho wait for its rate limit."""
        started = time.monotonic()
        zoho = self._trigger(dag, "")
        self._until("Zoho's limit is reached", lambda: self._share_of_calls(dag) > 0.15)
        ispring = self._trigger(ISPRING, f"beside_{dag}")
        self._finish(ispring, zoho)
        self.say(f"iSpring beside {dag}: {self._size.tasks} tasks took {self._seconds(ispring):.0f} s.")
        self._tell_of_zoho(zoho, started)
        self._check(ispring, zoho)

    def _disturbed(self) -> None:
        sensors = self._trigger(SENSORS, "")
        count = self._size.sensors_for * len(REQUIRED)
        self._until("all sensors wait", lambda: self._sampler.latest().count("deferred", SENSORS) == count)
        self.say(f"{count} sensors wait in {len(self._sampler.latest().triggers)} triggerers.")
        started = time.monotonic()
        zoho, ispring = self._trigger(DISTURBED, ""), self._trigger(ISPRING, "disturbed")
        self._until("both workers are busy", self._both_are_busy)
        self._kill_worker()
        self._kill_triggerer()
        self._until("half of Zoho's calls are sent", lambda: self._share_of_calls(DISTURBED) > 0.5)
        # A worker that starts while Redis is away ends at once.
        self._until(f"{WORKERS[0]} is ready again", self._worker_is_back)
        self._restart_redis("with its data", self._redis.stop)
        if self._size.forget:
            self._until("most of Zoho's calls are sent", lambda: self._share_of_calls(DISTURBED) > 0.75)
            self._restart_redis("without its data", lambda: forget(self._redis))
        self._finish(ispring, zoho)
        self._tell_of_zoho(zoho, started)
        self._check(ispring, zoho)
        again = [each["try_number"] for run in (zoho, ispring) for each in self._cluster.tasks(run.path)]
        self.say(
            f"{sum(each > 1 for each in again)} of {len(again)} tasks were tried again, {max(again)} times at most."
        )
        self._end_waiting(sensors, count)

    def _both_are_busy(self) -> bool:
        return self._share_of_calls(DISTURBED) > 0.15 and self._sampler.latest().count("running") > SLOTS

    def _kill_worker(self) -> None:
        name = WORKERS[0]
        self.say(f"Killed {name} with its {self._cluster.processes.kill(name)} processes; it is started again.")
        self._cluster.start_component(name)

    def _worker_is_back(self) -> bool:
        log = self._cluster.processes.logs / f"{WORKERS[0]}.log"
        return log.read_text(errors="replace").count(" ready.") > 1

    def _kill_triggerer(self) -> None:
        before = self._sampler.latest().triggers
        self._cluster.processes.kill(TRIGGERERS[0])
        at = time.monotonic()
        self.say(f"Killed {TRIGGERERS[0]}; the triggerers had {sorted(before.values())} triggers.")
        self._until("one triggerer has all triggers", lambda: len(set(self._sampler.latest().triggers) - {None}) == 1)
        self.say(f"The other one had all triggers after {time.monotonic() - at:.0f} s.")

    def _restart_redis(self, how: str, stop: Callable[[], None]) -> None:
        stop()
        time.sleep(_AWAY_SECONDS)
        calls = len(self._lms[DISTURBED].zoho.calls)
        at = time.monotonic()
        self._redis.start()
        self.say(f"Redis was away for {_AWAY_SECONDS:.0f} s and is back {how}.")
        self._until("Zoho is read again", lambda: len(self._lms[DISTURBED].zoho.calls) > calls)
        self.say(f"The next call to Zoho came {time.monotonic() - at:.0f} s later.")

    def _end_waiting(self, sensors: Run, count: int) -> None:
        waiting = self._sampler.latest().count("deferred", SENSORS)
        if waiting != count:
            self.problems.append(f"{waiting} of {count} sensors waited, though no learner had completed anything.")
        account, at = self._lms[SENSORS].ispring, time.monotonic()
        for learner in account.users:
            for course in account.courses:
                account.record(learner, course, "complete")
        self._finish(sensors)
        self.say(
            f"All learners completed all courses; all {count} sensors had ended {time.monotonic() - at:.0f} s later."
        )
        tasks = [each for each in self._cluster.tasks(sensors.path) if each["task_id"] == "wait"]
        tasks.sort(key=lambda task: int(task["map_index"]))
        if len(tasks) != count:
            self.problems.append(f"There are {len(tasks)} sensors, not {count}.")
        results = [self._cluster.result(task) for task in tasks if task["state"] == "success"]
        self.problems += checks.check_sensors(
            results, lambda index: REQUIRED[index % len(REQUIRED)], self._size.sensors_world.users
        )

    def _tell_of_zoho(self, run: Run, started: float) -> None:
        account, limits = self._lms[run.dag].zoho, self._size.limits
        calls, repeated = len(account.calls), checks.repeated_calls(account)
        least = (calls - repeated - 1) // limits.requests * limits.window_seconds
        left = self._cluster.count_in_logs(LEAVING, run.dag)
        self.say(
            f"{run.dag}: {calls} calls, {repeated} more than the least, in {self._seconds(run):.0f} s "
            f"(least {least:.0f} s); "
            f"{account.locks} locks, {len(account.tokens)} tokens; "
            f"{left} times a task gave its worker slot back."
        )
        if ZOHO[run.dag] and not left:
            self.problems.append(f"{run.dag}: no task gave its worker slot back, so nothing was tried of that.")
        samples = self._sampler.between(started, time.monotonic())
        held = [each.count("running", run.dag) for each in samples]
        self.say(
            f"Worker slots that {run.dag} held of {SLOTS * len(WORKERS)}, every 10 s: "
            f"{' '.join(map(str, held[::10]))}; {mean(held):.1f} on average."
        )

    def _share_of_calls(self, dag: str) -> float:
        return len(self._lms[dag].zoho.calls) / self._size.zoho_calls

    def _trigger(self, dag: str, folder: str) -> Run:
        output = "/".join(filter(None, (f"s3://lake@{BUCKET}", dag, folder)))
        return Run(dag, self._cluster.trigger(dag, {"output": output}), output)

    def _until(self, what: str, condition: Callable[[], bool]) -> None:
        self._cluster.wait_until(what, condition, _PATIENCE)

    def _finish(self, *runs: Run) -> None:
        """Wait until runs have ended, in whatever state."""
        for run in runs:
            call = self._cluster.call
            self._until(f"{run.dag} has run", lambda: call("GET", run.path)["state"] in FINISHED)  # noqa: B023
            if call("GET", run.path)["state"] != "success":
                failed = [each for each in self._cluster.tasks(run.path) if each["state"] != "success"]
                names = ", ".join(sorted(f"{each['task_id']}[{each['map_index']}]: {each['state']}" for each in failed))
                self.problems.append(f"The run of {run.dag} failed: {names}.")

    def _seconds(self, run: Run) -> float:
        found = self._cluster.call("GET", run.path)
        start, end = (datetime.fromisoformat(found[name]) for name in ("start_date", "end_date"))
        return (end - start).total_seconds()

    def _check(self, *runs: Run) -> None:
        """Compare all datasets of runs with what the LMS has."""
        for run in runs:
            lms = self._lms[run.dag]
            expected = checks.ispring_rows(lms) if run.dag == ISPRING else checks.zoho_rows(lms)
            found = checks.check_datasets(run.output, expected)
            self._rows += found.rows
            self._datasets += len(expected)
            self.problems += found.problems
            if run.dag != ISPRING:
                self.problems += checks.check_account(lms.zoho, run.dag)
