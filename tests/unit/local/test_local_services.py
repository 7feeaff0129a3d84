from local.dependencies import Dependencies
from local.local_settings import LocalSettings, worker_names, worker_settings
from local.services import build_services
from local.terminal import Terminal
from local.up_settings import UpSettings
from services.api.api_settings import ApiSettings

DEPENDENCIES = Dependencies("amqp://there/", "postgresql://there/", None, ())


def settings(**of_all: float) -> LocalSettings:
    api = ApiSettings.model_validate({"port": 0, **of_all})
    return LocalSettings(
        UpSettings(), api, {name: worker_settings(name).model_validate(of_all) for name in worker_names()}
    )


def test_services_may_take_as_long_to_stop_as_is_set_and_a_while() -> None:
    services = build_services(settings(shutdown_seconds=60), DEPENDENCIES, Terminal(["api"]), "services")
    graces = {service.name: service.grace_seconds for service in services}
    assert graces == dict.fromkeys(("api", *worker_names()), 75)
