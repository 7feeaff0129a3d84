import hashlib
from pathlib import Path

import pytest

from services.embedder.checksum import ModelUnavailable, bundled_directory, require_sha256


def test_weights_as_published_are_accepted(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"weights")
    require_sha256(weights, hashlib.sha256(b"weights").hexdigest())


def test_other_weights_are_refused_with_both_checksums(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"tampered")
    with pytest.raises(ModelUnavailable, match="not the published ones") as refused:
        require_sha256(weights, "0" * 64)
    assert hashlib.sha256(b"tampered").hexdigest() in str(refused.value)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="No such file"):
        require_sha256(tmp_path / "model.safetensors", "0" * 64)


def test_a_missing_package_gives_a_sentence_that_says_what_to_install() -> None:
    with pytest.raises(ModelUnavailable, match=r"no-such-package.*extra 'embedder'"):
        bundled_directory("no_such_package")
