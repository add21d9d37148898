"""Half of the tests are run on another database; one that is not would be no test of it."""

import pytest
from django.db import connection

pytestmark = pytest.mark.django_db


def test_a_test_has_the_database_that_it_is_named_after(request: pytest.FixtureRequest) -> None:
    assert connection.vendor == request.node.callspec.params["database"]
