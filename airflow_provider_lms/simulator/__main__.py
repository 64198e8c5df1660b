"""``python -m airflow_provider_lms.simulator``."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import date

from airflow_provider_lms.simulator.server import Simulator
from airflow_provider_lms.simulator.world import World


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_lms.simulator",
        description="Serve a small, seeded LMS on 127.0.0.1.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    sizes = World()
    parser.add_argument("--port", type=int, default=8765, help="0 takes a free one")
    parser.add_argument("--users", type=int, default=sizes.users, help="learners")
    parser.add_argument("--courses", type=int, default=sizes.courses, help="courses; everyone is enrolled in each")
    parser.add_argument("--modules", type=int, default=sizes.modules, help="modules in each course")
    parser.add_argument("--blocked", type=int, default=sizes.blocked, help="learners with a blocked account")
    parser.add_argument("--seed", type=int, default=sizes.seed, help="another seed, another world")
    parser.add_argument(
        "--as-of", type=date.fromisoformat, default=sizes.as_of, help="nothing happens after this day began"
    )
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each reply")
    options = vars(parser.parse_args())
    port, latency = options.pop("port"), options.pop("latency")
    # The requests go to stderr, so that the connections on stdout can be taken into a shell.
    simulator = Simulator(
        World(**options), port=port, latency=latency, on_request=lambda each: print(each, file=sys.stderr, flush=True)
    )
    print(f"iSpring Learn and Zoho People are simulated at {simulator.url}. The connections to them:", flush=True)
    for conn_type in simulator.vendors:
        connection = json.dumps(simulator.connection(conn_type))
        print(f"export AIRFLOW_CONN_{conn_type.upper()}_DEFAULT='{connection}'", flush=True)
    try:
        simulator.serve()
    except KeyboardInterrupt:
        print("Stopped.")


if __name__ == "__main__":
    main()
