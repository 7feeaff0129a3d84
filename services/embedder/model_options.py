"""What a model is to run on: the settings' wishes, and what follows from them on this machine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from services.embedder.checksum import ModelUnavailable

Backend = Literal["openvino", "torch"]
Precision = Literal["float32", "bfloat16", "int8"]


@dataclass(frozen=True, slots=True)
class Runtime:
    """The library that computes, and the precision that it multiplies in."""

    backend: Backend
    precision: Precision

    def __str__(self) -> str:
        """Name both, as in the log and in ``/readyz``."""
        return f"{self.backend} {self.precision}"


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """``auto`` leaves it to the machine. ``cache`` is where converted models are kept; None keeps none."""

    threads: int
    backend: Literal["auto"] | Backend = "auto"
    precision: Literal["auto"] | Precision = "auto"
    cache: Path | None = None

    def __post_init__(self) -> None:
        if self.backend == "torch" and self.precision == "int8":
            raise ValueError(
                "EMBEDDING_PRECISION=int8 needs the backend openvino, and EMBEDDING_BACKEND is torch"
            )

    def runtime(self, *, bundled: bool, has_bfloat16: bool, convertible: bool) -> Runtime:
        """Choose for a model that OpenVINO could run if it is ``convertible``.

        By itself OpenVINO is taken where its bfloat16 is worth it, and bfloat16 for the bundled model alone, whose
        vectors were compared. Raises ModelUnavailable where what the settings ask for can't be had.
        """
        precision = self.precision
        if precision == "auto":
            precision = "bfloat16" if bundled and has_bfloat16 else "float32"
        if self.backend == "torch":
            return Runtime("torch", precision)
        asked_for = self.backend == "openvino" or precision == "int8"
        if missing := _missing(convertible=convertible):
            if asked_for:
                raise ModelUnavailable(
                    f"OpenVINO is asked for (EMBEDDING_BACKEND, EMBEDDING_PRECISION), and {missing}."
                )
            return Runtime("torch", precision)
        return Runtime("openvino" if asked_for or has_bfloat16 else "torch", precision)


def has_bfloat16(capabilities: Mapping[str, object]) -> bool:
    """Return whether the processor multiplies bfloat16 natively. Emulation was not measured, and is not used."""
    return any(bool(capabilities.get(flag)) for flag in ("avx512_bf16", "amx_bf16"))


def openvino_is_installed(find: Callable[[str], object] = find_spec) -> bool:
    """Return whether the package is there, without importing it."""
    try:
        return find("openvino") is not None
    except ValueError:  # it was imported, and by something that is no package
        return False


def _missing(*, convertible: bool) -> str | None:
    if not openvino_is_installed():
        return "the package openvino is not installed"
    return None if convertible else "this model takes more than tokens"
