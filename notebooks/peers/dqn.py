"""The agent of the notebook 14_balance in PyTorch, with gymnasium's CartPole: DQN with a replay memory and a target network.

    python dqn.py --seed 1 --scores scores
"""

import argparse
import json
import time
from copy import deepcopy
from pathlib import Path

import gymnasium
import numpy as np
import torch
from torch import nn

import course

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--steps", type=int, default=60_000)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--threads", type=int, default=course.cores())
parser.add_argument("--scores", type=Path, help="folder in whose subfolder balance the record is written")
args = parser.parse_args()

HIDDEN = 128
BATCH = 64
LEARNING_RATE = 0.001
DISCOUNT = 0.99
MEMORY = 50_000
WARM_UP, LEARN_EVERY, TARGET_EVERY, EVALUATE_EVERY = 1000, 4, 500, 1000
SOLVED = 475
SIZE = np.array([2.4, 2.0, 0.21, 2.0], np.float32)  # By which the four numbers of a state are divided.

torch.manual_seed(args.seed)
torch.set_num_threads(args.threads)
random = np.random.default_rng(args.seed)

# %% Network


def he(module):
    """Weights uniform within ±√(6 / inputs), and biases 0, as in the notebook."""
    if isinstance(module, nn.Linear):
        nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
        nn.init.zeros_(module.bias)


net = nn.Sequential(
    nn.Linear(4, HIDDEN), nn.ReLU(),
    nn.Linear(HIDDEN, HIDDEN), nn.ReLU(),
    nn.Linear(HIDDEN, 2),
).apply(he)
target = deepcopy(net)
optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
huber = nn.HuberLoss()


@torch.no_grad()
def best(states):
    """The actions with the larger values, for states [n, 4]."""
    return net(torch.from_numpy(states / SIZE)).argmax(1).numpy()


# %% Memory


class Memory:
    """The last steps of the game, as the network reads them."""

    def __init__(self):
        self.states = np.zeros((MEMORY, 4), np.float32)
        self.nexts = np.zeros((MEMORY, 4), np.float32)
        self.actions = np.zeros(MEMORY, np.int64)
        self.goes_on = np.zeros(MEMORY, np.float32)
        self.count = 0

    def push(self, state, action, following, terminated):
        at = self.count % MEMORY
        self.states[at], self.nexts[at] = state / SIZE, following / SIZE
        self.actions[at], self.goes_on[at] = action, not terminated
        self.count += 1

    def sample(self):
        at = random.integers(min(self.count, MEMORY), size=BATCH)
        return [torch.from_numpy(part[at]) for part in (self.states, self.actions, self.nexts, self.goes_on)]


# %% Training


def learn(memory):
    """A step with goals of -1 where the pole has fallen, and else the discounted value of the next state."""
    states, actions, nexts, goes_on = memory.sample()
    with torch.no_grad():
        goals = DISCOUNT * goes_on * target(nexts).max(1).values - (1 - goes_on)
    values = net(states).gather(1, actions.unsqueeze(1)).squeeze(1)
    loss = huber(values, goals)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def evaluate(episodes, seed):
    """The mean length of so many episodes without exploration, all at once."""
    envs = gymnasium.make_vec("CartPole-v1", num_envs=episodes, vectorization_mode="vector_entry_point")
    states, _ = envs.reset(seed=seed)
    lengths, running = np.zeros(episodes), np.ones(episodes, bool)
    while running.any():
        states, _, terminated, truncated, _ = envs.step(best(states))
        lengths += running
        running &= ~(terminated | truncated)
    return lengths.mean()


# %% Run

env = gymnasium.make("CartPole-v1")
memory = Memory()
state, _ = env.reset(seed=args.seed)
seconds = kept_score = 0
solved = kept = None
for step in range(1, args.steps + 1):
    start = time.process_time()  # Other work on the machine changes it less than the time on the clock.
    if random.random() < max(0.05, 1 - 0.95 * step / 10_000):
        action = int(random.integers(2))
    else:
        action = int(best(state[None])[0])
    following, _, terminated, truncated, _ = env.step(action)
    memory.push(state, action, following, terminated)
    state = env.reset()[0] if terminated or truncated else following
    if step > WARM_UP and step % LEARN_EVERY == 0:
        learn(memory)
    if step % TARGET_EVERY == 0:
        target.load_state_dict(net.state_dict())
    seconds += time.process_time() - start

    if step % EVALUATE_EVERY == 0:
        score = evaluate(50, seed=1000 + args.seed)
        print(f"Step {step}/{args.steps}, mean of 50 episodes: {score:.1f}")
        if score >= SOLVED and solved is None:
            solved = step
        if score > kept_score:
            kept_score, kept = score, deepcopy(net.state_dict())

net.load_state_dict(kept or net.state_dict())
mean = evaluate(100, seed=2000 + args.seed)
record = {
    "framework": "PyTorch",
    "style": "DQN",
    "version": torch.__version__.split("+")[0],
    "device": f"CPU ({torch.get_num_threads()} thread{'s' if torch.get_num_threads() > 1 else ''})",
    "seed": args.seed,
    "steps": args.steps,
    "seconds": round(seconds, 3),
    "solved_at": solved,
    "mean_of_100": mean,
    "cpu": course.processor(),
    "cores": course.cores(),
    "date": time.strftime("%Y-%m-%d", time.gmtime()),
}
print(f"PyTorch {record['version']}: {mean:.1f} steps, mean of 100 episodes; {args.steps / seconds:.0f} steps per second of the processor")
if args.scores:
    path = args.scores / "balance" / f"pytorch-dqn-{args.steps}-seed{args.seed}.json"
    course.write(path, json.dumps(record, indent=2) + "\n")
