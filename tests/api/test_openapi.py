"""Every answer agrees with the published document, also to input made by a machine."""

from pathlib import Path

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from app.extensions import limiter
from tests.shop import course_text, load_course, load_post, post_text

MOST_EXAMPLES = 12


@pytest.fixture
def filled(app: Flask) -> Flask:
    load_course(course_text())
    load_post(post_text(courses="[small-course]"))
    return app


@pytest.mark.slow
def test_answers_agree_with_the_document(filled: Flask) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", filled)
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) == 6

    for operation in operations:

        @settings(
            max_examples=MOST_EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def answers_as_described(case: schemathesis.Case) -> None:
            limiter.reset()
            # A cursor, price or address that has the right form need not exist.
            case.call_and_validate(excluded_checks=[positive_data_acceptance])

        answers_as_described()


def test_the_document_names_no_path_of_this_machine(filled: Flask) -> None:
    assert str(Path.cwd()) not in filled.test_client().get("/api/openapi.json").text
