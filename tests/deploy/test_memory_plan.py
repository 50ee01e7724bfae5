"""No value is overwritten while something still reads it, and the arena is no larger than it has to be."""

from __future__ import annotations

import numpy as np
import pytest

from stillmotion.deploy.memory_plan import plan_memory
from stillmotion.deploy.program import SIGNAL
from tests.deploy.test_equality import NAMES


def run_in_arena(program):
    """Run the plan with bytes that name their owner: every input must still be whole when it is read."""
    plan = plan_memory(program)
    arena = np.full(plan.size, "", object)
    for step in program.steps:
        for name in step.inputs:
            if name != SIGNAL:
                start, size = plan.offsets[name], program.tensors[name].bytes
                assert set(arena[start : start + size]) == {name}, f"{step.output} reads {name}, which was overwritten"
        if step.output in plan.scratch:
            start = plan.scratch[step.output]
            assert start % 4 == 0
            assert start + step.block.scratch_bytes <= plan.size
            arena[start : start + step.block.scratch_bytes] = "scratch"
            for name in step.inputs:
                if name != SIGNAL:
                    part = arena[plan.offsets[name] : plan.offsets[name] + program.tensors[name].bytes]
                    assert set(part) == {name}, f"the scratch of {step.output} lies on its input"
        start, size = plan.offsets[step.output], step.block.output.bytes
        assert start % 4 == 0
        assert start + size <= plan.size
        for name in step.inputs:
            if name != SIGNAL and not (step.block.overwrites and name == step.inputs[0]):
                first, length = plan.offsets[name], program.tensors[name].bytes
                assert first + length <= start or start + size <= first, f"{step.output} lies on its input {name}"
        if step.output in plan.scratch:
            first = plan.scratch[step.output]
            assert first + step.block.scratch_bytes <= start or start + size <= first
        arena[start : start + size] = step.output
    end = plan.offsets[program.output]
    assert set(arena[end : end + program.logits.bytes]) == {program.output}
    return plan


@pytest.mark.parametrize("name", NAMES)
def test_what_is_read_was_not_overwritten(name, cases):
    for program in (cases[name].exact, cases[name].integers):
        plan = run_in_arena(program)
        needed = max(step.block.output.bytes + step.block.scratch_bytes for step in program.steps)
        assert (
            needed
            <= plan.size
            <= sum(tensor.bytes + 4 for tensor in program.tensors.values())
            + sum(step.block.scratch_bytes + 4 for step in program.steps)
        )


def test_the_arena_of_a_residual_network_is_what_lives_together(cases):
    # Of 12 x 8 values each: the shortcut of the first block, and what its pointwise convolution reads and writes.
    assert plan_memory(cases["motion_net_xs"].integers).size == 3 * 12 * 8
    assert plan_memory(cases["motion_net_xs"].exact).size == 4 * 3 * 12 * 8
