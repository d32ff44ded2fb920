"""Writes trajectories of gymnasium's CartPole, with which the notebook 14_balance compares its own.

    python cartpole.py ../../assets/cartpole/trajectories.csv

One episode lasts for 500 steps, as a rule that balances the pole chooses its actions; five have actions drawn at random, and end when the
pole falls. A line of the file is a state and what was done in it; the last line of an episode has no action, but -1. Numbers are written
so that reading them gives the same 64 bits.
"""

import sys
from pathlib import Path

import gymnasium

STEPS = 500


def rule(state):
    """Pushes to the side to which the pole falls, and a little against the cart's drift."""
    x, velocity, angle, angular_velocity = state
    return int(0.15 * x + 0.4 * velocity + 3 * angle + angular_velocity > 0)


def episode(seed, choose):
    """Lines of an episode: seed, step, action, ended, and the four numbers of the state."""
    env = gymnasium.make("CartPole-v1", max_episode_steps=STEPS)
    env.reset(seed=seed)
    env.action_space.seed(seed)
    for step in range(STEPS + 1):
        state = [float(number) for number in env.unwrapped.state]
        ended = step > 0 and (terminated or truncated)
        action = -1 if ended else choose(env, state)
        yield [seed, step, action, int(step > 0 and terminated), *map(repr, state)]
        if ended:
            return
        _, _, terminated, truncated, _ = env.step(action)


lines = ["seed,step,action,terminated,position,velocity,angle,angular_velocity"]
for line in episode(1, lambda env, state: rule(state)):
    lines.append(",".join(map(str, line)))
for seed in range(2, 7):
    for line in episode(seed, lambda env, state: int(env.action_space.sample())):
        lines.append(",".join(map(str, line)))

path = Path(sys.argv[1])
path.parent.mkdir(parents=True, exist_ok=True)
path.write_text("\n".join(lines) + "\n")
print(f"{len(lines) - 1} states by gymnasium {gymnasium.__version__} are in {path}")
