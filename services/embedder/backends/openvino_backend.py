"""OpenVINO behind our interface. Imports torch, for the conversion, and openvino."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sentence_transformers import SentenceTransformer

from services.embedder.backends.openvino_conversion import converted
from services.embedder.backends.sentence_transformers_backend import TokenizedModel
from services.embedder.backends.silent_openvino import openvino
from services.embedder.embedding_model import Row, Vectors, unit
from services.embedder.model_options import ModelOptions, Precision, Runtime
from services.runtime.process.logging import get_logger

log = get_logger(__name__)

HINTS = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}
LENGTHS = 16
"""Rows are padded to multiples of so many tokens: each new shape costs OpenVINO some milliseconds once."""

PROOF = ("A sentence.", "Two bees met at noon, and neither said what it was that had kept them. " * 3)
AGREES = 0.98
"""What the cosine of the converted model's vectors to the model's own must be. Precision costs less: int8 0.99."""


class OpenVinoModel(TokenizedModel):
    """A model converted to OpenVINO's graph, which runs on one stream for each thread, side by side."""

    def __init__(
        self, model: SentenceTransformer, name: str, precision: Precision, options: ModelOptions
    ) -> None:
        """Convert a model, or read what was converted before; raises whatever the libraries raise."""
        super().__init__(model, name)
        self._inputs = list(self.tokenize([name])[0].features)
        graph = converted(model, self._inputs, int8=precision == "int8", cache=options.cache)
        hints = {
            "INFERENCE_PRECISION_HINT": HINTS[precision],
            "INFERENCE_NUM_THREADS": options.threads,
            "NUM_STREAMS": options.threads,
        }
        compiled = openvino.Core().compile_model(graph, "CPU", hints)
        self._requests = [compiled.create_infer_request() for _ in range(options.threads)]
        self._pads = {
            "input_ids": model.tokenizer.pad_token_id or 0,
            "token_type_ids": model.tokenizer.pad_token_type_id,
        }
        runs_in = _precision_of(compiled, precision)
        self.runtime = Runtime("openvino", runs_in)
        self._prove(runs_in)

    def _prove(self, precision: Precision) -> None:
        """Compare with the model's own vectors, and let its weights go."""
        rows = self.tokenize(PROOF)
        own = super().forward(rows)
        cosine = float(np.sum(own * self.forward(rows), axis=1).min())
        if not cosine >= AGREES:
            raise ValueError(f"converted to OpenVINO it gives other vectors: their cosine is {cosine:.3f}")
        log.info("model_converted", precision=precision, cosine=round(cosine, 6))
        self._model.to("meta")

    def forward(self, rows: Sequence[Row]) -> Vectors:
        """Run one batch, in the order given; raises MemoryError when it does not fit."""
        size = -(-len(rows) // len(self._requests))
        parts = [rows[start : start + size] for start in range(0, len(rows), size)]
        used = self._requests[: len(parts)]
        try:
            for request, part in zip(used, parts, strict=True):
                request.start_async(self._padded(part), share_inputs=False)
            for request in used:
                request.wait()
        except RuntimeError as error:
            if _out_of_memory(error):
                raise MemoryError(str(error)) from error
            raise
        return unit(np.concatenate([np.array(request.get_output_tensor(0).data) for request in used]))

    def _padded(self, rows: Sequence[Row]) -> dict[str, Any]:
        longest = max(row.length for row in rows)
        width = max(longest, min(-(-longest // LENGTHS) * LENGTHS, self.max_tokens))
        padded = {
            name: np.full((len(rows), width), self._pads.get(name, 0), np.int64) for name in self._inputs
        }
        for index, row in enumerate(rows):
            for name, values in row.features.items():
                padded[name][index, : row.length] = values
        return padded


def _precision_of(compiled: Any, wanted: Precision) -> Precision:
    """What it runs in: a processor without bfloat16 is given float32."""
    hint = str(compiled.get_property("INFERENCE_PRECISION_HINT"))
    return "float32" if wanted == "bfloat16" and "bfloat16" not in hint and "bf16" not in hint else wanted


def _out_of_memory(error: RuntimeError) -> bool:
    text = str(error)
    return any(sign in text for sign in ("bad_alloc", "can't allocate", "not enough memory", "out of memory"))
