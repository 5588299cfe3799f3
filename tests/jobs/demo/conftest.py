"""One hurried demonstration for all tests here: everything happens, nothing is learned well."""

import pytest

from noiselayer.jobs.demo.digits import Demo, run_demo


@pytest.fixture(scope="session")
def hurried() -> Demo:
    return run_demo(seed=3, max_epochs=1, warm_up_epochs=1, start="confusion")
