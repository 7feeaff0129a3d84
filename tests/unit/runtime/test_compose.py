"""The containers are told every setting that their processes read, and nothing else."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.local_settings import worker_names, worker_settings
from local.up_settings import UpSettings
from services.api.api_settings import ApiSettings
from services.runtime.process.settings import CommonSettings

ROOT = Path(__file__).parents[3]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
EXAMPLE = (ROOT / ".env.example").read_text()
CLASSES: dict[str, type[CommonSettings]] = {
    "api": ApiSettings,
    **{name: worker_settings(name) for name in worker_names()},
}

DECIDED_HERE = {"RABBITMQ_URL", "DATABASE_URL", "HOST", "PORT", "HEALTH_HOST"}
"""What follows from there being containers; all else is what the operator says."""


def names_of(settings: type[CommonSettings]) -> set[str]:
    return {name.upper() for name in settings.model_fields}


@pytest.mark.parametrize("service", CLASSES)
def test_a_container_is_told_every_setting_that_its_process_reads(service: str) -> None:
    decided_by_the_image = {"DATA_DIR", f"{service}_health_port".upper()}
    environment = COMPOSE["services"][service]["environment"]
    assert set(environment) == names_of(CLASSES[service]) - decided_by_the_image
    for name in environment.keys() - DECIDED_HERE:
        assert re.fullmatch(rf"\$\{{{name}:-.*\}}", environment[name])


def test_the_containers_are_those_of_the_services() -> None:
    assert {name for name, service in COMPOSE["services"].items() if "build" in service} == set(CLASSES)


def test_the_example_file_lists_every_setting_once() -> None:
    listed = re.findall(r"^#?([A-Z_]+)=", EXAMPLE, re.MULTILINE)
    of_compose = re.findall(r"\$\{(\w+):-", (ROOT / "compose.yaml").read_text())
    assert sorted(listed) == sorted(
        {*of_compose, *names_of(UpSettings), *(name for each in CLASSES.values() for name in names_of(each))}
    )


def test_the_example_file_has_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in set().union(*map(names_of, CLASSES.values())):
        monkeypatch.delenv(name, raising=False)
    defaults = [settings() for settings in CLASSES.values()]
    for name, value in re.findall(r"^([A-Z_]+)=(.*)", EXAMPLE, re.MULTILINE):
        monkeypatch.setenv(name, value)
    assert [settings() for settings in CLASSES.values()] == defaults
