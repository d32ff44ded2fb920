"""One measurement of `dqn.rs`: the agent of the notebook 14_balance on PyTorch, with gymnasium's CartPole.

    dqn.py VARIANT STEPS BATCH

The variants are `dqn-pytorch`, as people write it, and `dqn-pytorch-compiled`, with `torch.compile` and Adam in one kernel. Computes on
THREADS threads, and prints JSON as `dqn.rs` does.
"""

import json
import os
import sys
import time
from copy import deepcopy
from pathlib import Path

VARIANT, STEPS, BATCH = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
THREADS = int(os.environ["THREADS"])
os.environ["OMP_NUM_THREADS"] = str(THREADS)

import gymnasium
import numpy as np
import torch
from torch import nn

torch.set_num_threads(THREADS)
torch.manual_seed(1)
is_compiled = VARIANT == "dqn-pytorch-compiled"
WARM_UP, LEARN_EVERY, TARGET_EVERY = 1000, 4, 500
SIZE = np.array([2.4, 2.0, 0.21, 2.0], np.float32)

net = nn.Sequential(nn.Linear(4, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2))
target = deepcopy(net)
adam = torch.optim.Adam(net.parameters(), lr=0.001, fused=is_compiled)
huber = nn.HuberLoss()
random = np.random.default_rng(1)
states, nexts = (np.zeros((WARM_UP + STEPS, 4), np.float32) for _ in range(2))
actions, goes_on = np.zeros(WARM_UP + STEPS, np.int64), np.zeros(WARM_UP + STEPS, np.float32)


def loss_of(states, actions, nexts, goes_on):
    with torch.no_grad():
        goals = 0.99 * goes_on * target(nexts).max(1).values - (1 - goes_on)
    return huber(net(states).gather(1, actions.unsqueeze(1)).squeeze(1), goals)


if is_compiled:
    loss_of = torch.compile(loss_of)


def learn(count):
    at = random.integers(count, size=BATCH)
    loss = loss_of(*[torch.from_numpy(part[at]) for part in (states, actions, nexts, goes_on)])
    adam.zero_grad()
    loss.backward()
    adam.step()


env = gymnasium.make("CartPole-v1")
state, _ = env.reset(seed=1)
for step in range(WARM_UP + STEPS):
    if step == WARM_UP:
        for _ in range(5 if is_compiled else 0):
            learn(step)
        start, processor = time.perf_counter(), time.process_time()
    if random.random() < 0.05:
        action = int(random.integers(2))
    else:
        with torch.no_grad():
            action = int(net(torch.from_numpy(state[None] / SIZE)).argmax(1)[0])
    following, _, terminated, truncated, _ = env.step(action)
    states[step], actions[step], nexts[step], goes_on[step] = state / SIZE, action, following / SIZE, not terminated
    state = env.reset()[0] if terminated or truncated else following
    if step >= WARM_UP and step % LEARN_EVERY == 0:
        learn(step)
    if step % TARGET_EVERY == 0:
        target.load_state_dict(net.state_dict())
seconds, processor = time.perf_counter() - start, time.process_time() - processor
memory = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
print(json.dumps({"seconds": seconds, "processor": processor, "memory": memory}))
