"""Two hundred rounds of the storm; ``python -m tests.scenario.storm`` has as many as one likes."""

from __future__ import annotations

import pytest

from tests.scenario.storm import storm

ROUNDS = 50


@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_whatever_is_done_at_its_terminal_a_tree_leaves_it_as_it_was(tmp_path, seed):
    prompts, _ = storm(tmp_path, seed, ROUNDS)
    assert prompts > ROUNDS
