"""OpenVINO without its telemetry: with the package openvino-telemetry it tells its makers of each conversion.

Nobody asked for that. Imported from here alone; where OpenVINO finds no such package it takes a stub of its own.
"""

import sys

sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # what Python takes for absent

import openvino  # noqa: E402 - after the line above
from openvino import opset13 as ops  # noqa: E402 - as well

__all__ = ["openvino", "ops"]
