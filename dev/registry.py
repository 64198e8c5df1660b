"""What the registry of Airflow providers asks for: ``.airflow-registry.yaml``, from the provider's metadata.

``python -m dev.contract`` writes it, and a test checks that it is current.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from airflow_provider_lms.provider_info import get_provider_info

PATH = Path(__file__).parent.parent / ".airflow-registry.yaml"
_ENDINGS = {"operators": "Operator", "sensors": "Sensor", "hooks": "Hook", "triggers": "Trigger"}


def content() -> str:
    """The file."""
    info = get_provider_info()
    found: dict[str, Any] = {
        "package-name": info["package-name"],
        "display-name": info["name"],
        "description": info["description"],
    }
    for kind, ending in _ENDINGS.items():
        modules = dict.fromkeys(module for entry in info[kind] for module in entry["python-modules"])
        found[kind] = [each for module in modules for each in _classes(module, ending)]
    text: str = yaml.safe_dump(found, sort_keys=False, width=120, allow_unicode=True)
    return text


def _classes(module: str, ending: str) -> Iterator[dict[str, str]]:
    """The public classes of a module, with the first sentence about each."""
    for name, held in sorted(vars(import_module(module)).items()):
        is_ours = inspect.isclass(held) and held.__module__.startswith(module)
        if is_ours and name.endswith(ending) and not inspect.isabstract(held):
            text = " ".join((inspect.getdoc(held) or "").split("\n\n")[0].split())
            yield {"module": f"{module}.{name}", "description": text.replace("``", "`")}
