import os
import pathlib
import tempfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = os.environ.get("HEADWAY_TEST_MODEL", str(ROOT / "models/story-12m.gguf"))
os.environ.setdefault("HEADWAY_CACHE", os.path.join(tempfile.gettempdir(), "headway-python-tests"))

import headway  # noqa: E402


@pytest.fixture(scope="session")
def model():
    return MODEL


@pytest.fixture(scope="session")
def engine():
    return headway.Engine(MODEL, head="full:2", threads=1)


@pytest.fixture(scope="session")
def certified():
    return headway.Engine(MODEL, head="certified", threads=1)
