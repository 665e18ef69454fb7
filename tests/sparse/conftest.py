"""Fixtures of the tests on sparse convolution, and the skip where spconv is absent."""

from __future__ import annotations

from typing import Any

import pytest

from bev3d._errors import MissingPackageError
from bev3d.sparse._backend import import_spconv


@pytest.fixture(scope="session")
def spconv() -> Any:
    """``spconv.pytorch``."""
    try:
        return import_spconv()
    except MissingPackageError:
        pytest.skip("spconv is not installed")


@pytest.fixture(params=["bev3d", "spconv"])
def backend(request: pytest.FixtureRequest) -> str:
    """Each backend of the modules that this machine has."""
    if request.param == "spconv":
        request.getfixturevalue("spconv")
    return request.param
