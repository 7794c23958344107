"""Makes `chart`, `kubernetes_schemas` and the generator importable for all tests."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tools")]


def pytest_addoption(parser):
    parser.addoption("--update-snapshots", action="store_true", help="write the snapshots of the examples")
