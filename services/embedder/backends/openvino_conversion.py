"""sentence-transformers' model as one graph of OpenVINO's. Imports torch and openvino."""

import hashlib
import json
import warnings
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer

from services.embedder.backends.conversion_cache import ConversionCache
from services.embedder.backends.silent_openvino import openvino, ops
from services.runtime.process.logging import get_logger

log = get_logger(__name__)

VERSION = 1
"""Of what is made here; with another one, cached models are made again."""

MODEL_FILE = "model.xml"


def converted(model: SentenceTransformer, names: list[str], *, int8: bool, cache: Path | None) -> Any:
    """Return the graph from the inputs ``names``, each of shape (rows, tokens), to sentence embeddings.

    It is kept under the weights' checksum. A cache that can't be written costs the conversion at each start.
    """
    if cache is None:
        return convert(model, names, int8=int8)
    try:
        key = checksum(model, names, int8=int8)
        entry = ConversionCache(cache).entry(key, lambda path: _save(convert(model, names, int8=int8), path))
        return openvino.Core().read_model(entry / MODEL_FILE)
    except OSError as error:
        log.warning("model_cache_unusable", path=str(cache), error=str(error))
        return convert(model, names, int8=int8)


def checksum(model: SentenceTransformer, names: list[str], *, int8: bool) -> str:
    """The SHA-256 of all that the graph depends on: weights, modules and their settings, OpenVINO's release."""
    digest = hashlib.sha256()
    about = [VERSION, openvino.__version__, int8, names, repr(model), *map(_config, model)]
    digest.update(json.dumps(about, sort_keys=True, default=str).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(
            tensor.detach().contiguous().view(torch.uint8).numpy() if tensor.dim() else repr(tensor).encode()
        )
    return digest.hexdigest()


def _config(module: Any) -> str:
    # Of a transformer with its model's, which repr does not show: activations, heads, epsilons.
    config = getattr(getattr(module, "auto_model", None), "config", None)
    own = module.get_config_dict() if hasattr(module, "get_config_dict") else {}
    return repr((own, config.to_json_string() if config is not None else None))


def convert(model: SentenceTransformer, names: list[str], *, int8: bool) -> Any:
    """Trace all modules, pooling and scaling included, for any number of rows and tokens."""
    example = torch.ones((2, 8), dtype=torch.long)
    any_shape = openvino.PartialShape([-1, -1])
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter(
            "ignore"
        )  # of the tracer, about lengths that it takes for constants: proved after
        graph = openvino.convert_model(
            _Sentences(model, names),
            example_input=[example] * len(names),
            input=[any_shape] * len(names),
        )
    for port, name in zip(graph.inputs, names, strict=True):
        port.get_tensor().set_names({name})
    if int8:
        narrow_weights(graph)
    return graph


class _Sentences(torch.nn.Module):
    def __init__(self, model: SentenceTransformer, names: list[str]) -> None:
        super().__init__()
        self._model = model
        self._names = names

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """From tokens to the embedding, as sentence-transformers goes."""
        features = {**dict(zip(self._names, inputs, strict=True)), "modality": "text"}
        output: dict[str, torch.Tensor] = self._model(features)
        return output["sentence_embedding"]


def narrow_weights(graph: Any) -> None:
    """Replace each matrix of weights by 8-bit integers with a scale for each of its rows, symmetric about zero.

    OpenVINO multiplies such ones in integers, for which it narrows the other side as it goes.
    """
    for node in graph.get_ops():
        constant = node.input_value(1).get_node() if node.get_type_name() == "MatMul" else None
        if constant is not None and constant.get_type_name() == "Constant" and len(constant.shape) == 2:
            node.input(1).replace_source_output(_narrow(constant.data, node.get_attributes()["transpose_b"]))


def _narrow(weights: Any, transposed: bool) -> Any:
    axis = 1 if transposed else 0  # the one that is summed over
    scale = abs(weights).max(axis=axis, keepdims=True) / 127
    scale[scale == 0] = 1
    whole = ops.constant((weights / scale).round().astype("int8"), dtype="int8")
    return ops.multiply(ops.convert(whole, "f32"), ops.constant(scale.astype("float32"))).output(0)


def _save(graph: Any, directory: Path) -> None:
    openvino.save_model(graph, directory / MODEL_FILE, compress_to_fp16=False)
