"""Stripe's published contract over everything that was said; skips loudly where the folder beside the repository is missing."""

import importlib.util
import json
from functools import cache
from pathlib import Path
from typing import Any

CONTRACT_FILE = Path(__file__).resolve().parents[2] / "shared" / "stripe" / "conformance.py"


@cache
def load_contract() -> Any:
    """The checker, or None where a user's machine does not have it."""
    if not CONTRACT_FILE.exists():
        return None
    spec = importlib.util.spec_from_file_location("stripe_conformance", CONTRACT_FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Contract()


def list_violations(traffic: Path) -> list[Any]:
    """What in a recorded file Stripe's contract does not allow."""
    contract = load_contract()
    if contract is None or not traffic.exists():
        return []
    lines = [json.loads(line) for line in traffic.read_text(encoding="utf-8").splitlines()]
    return [found for line in lines for found in contract.check_exchange(line)[0]]
