"""What several of these tests begin with."""

import pytest

from tests.failover.cast import Cast


@pytest.fixture
def cast(fresh_process: None) -> Cast:
    return Cast()
