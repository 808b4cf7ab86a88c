"""What a network of many nodes goes through: a function for each story.

Each takes the scene, leaves it with all nodes well, and returns a line that tells what was seen.
"""
import signal
import time

from nodes import Failed, setting, until

# Heights between the snapshots of this network, and the blocks that follow before one is offered.
SNAPSHOT_HEIGHTS = 20
SNAPSHOT_AGE = 4


class Scene:
    """A running network and what the stories share."""

    def __init__(self, network, proxies, load, full):
        self.network, self.proxies, self.load, self.full = network, proxies, load, full
        self.validators = network.validators
        self.joining, self.joining_too = network.nodes[len(self.validators):]

    def size(self, small, full):
        return full if self.full else small

    def links(self, node):
        """Links on the chain, as one node's application tells."""
        status = self.network.cyberd("status", "--node", node.rpc)
        return status["links"]


def agree(scene):
    """Four agree under load: blocks come, links are in them on all four."""
    blocks = scene.size(25, 200)
    first, links = scene.network.top(), scene.load.acknowledged
    took = scene.network.reach(first + blocks, 20 * blocks)
    scene.load.passes(10)
    links = scene.load.acknowledged - links
    return f"{blocks} blocks in {took:.1f} s, {took / blocks:.2f} s each, {links} links in them"


def killed(scene):
    """One is killed with all its processes; three go on; it comes back by the same command."""
    node, others = scene.validators[1], [scene.validators[at] for at in (0, 2, 3)]
    before = scene.network.top()
    node.kill()
    blocks = scene.size(4, 20)
    scene.network.reach(before + blocks, 60, others)
    node.start()
    took = scene.network.rejoined(node)
    return f"three made {blocks} blocks without it; at the head {took:.1f} s after its start"


def paused(scene):
    """One stands still (SIGSTOP), goes on and catches up."""
    node, seconds = scene.validators[2], scene.size(5, 10)
    others = [other for other in scene.validators if other is not node]
    before = scene.network.top()
    if not node.signal_pair(signal.SIGSTOP):
        raise Failed(f"{node.name} has no two processes")
    try:
        time.sleep(seconds)
        # When it was its turn to propose, the others first wait for it.
        scene.network.reach(before + 1, 15, others)
        missed = scene.network.top(others) - before
    finally:
        node.signal_pair(signal.SIGCONT)
    took = scene.network.rejoined(node)
    return f"{seconds} s, the others made {missed} blocks; at the head after {took:.1f} s more"


def halted(scene):
    """Two of four are killed: no block comes, nothing is lost; with them back blocks come again."""
    down, up = scene.validators[2:], scene.validators[:2]
    for node in down:
        node.kill()
    # A height whose votes were on their way may still come.
    time.sleep(1)
    stood = scene.network.top(up)
    time.sleep(scene.size(3, 15))
    if scene.network.top(up) > stood + 1:
        raise Failed(f"blocks came with half of the power: {stood} to {scene.network.top(up)}")
    stood, acknowledged = scene.network.top(up), scene.load.acknowledged
    for node in down:
        node.start()
    took = scene.network.reach(stood + 2, 60)
    scene.load.passes(10)
    links = scene.links(scene.validators[2])
    if links < acknowledged:
        raise Failed(f"{acknowledged} links were acknowledged, {links} are there")
    return (f"stood at {stood}; two blocks more on all four {took:.1f} s after the start of the "
            f"two; the {acknowledged} links acknowledged before are there")


def cut(scene):
    """The network falls into two halves: neither makes a block; joined, one history goes on."""
    halves, seconds = (scene.validators[:2], scene.validators[2:]), scene.size(5, 10)
    scene.proxies.cut(*halves)
    time.sleep(1)
    stood = [scene.network.top(half) for half in halves]
    time.sleep(seconds - 1)
    for half, before in zip(halves, stood):
        if scene.network.top(half) > before + 1:
            went = f"{before} to {scene.network.top(half)}"
            raise Failed(f"a half of the network made blocks: {went}")
    stood = max(scene.network.top(half) for half in halves)
    scene.proxies.heal()
    took = scene.network.reach(stood + 2, 60)
    scene.load.passes(10)
    return f"{seconds} s, no block in either half; two blocks more on all four after {took:.1f} s"


def block_sync(scene):
    """A node without a vote joins with an empty home and takes every block from the others."""
    node = scene.joining_too
    target = scene.network.top()
    node.start()
    took = scene.network.rejoined(node, 120)
    first = int(node.ask("/status")["sync_info"]["earliest_block_height"])
    if first != 1:
        raise Failed(f"{node.name} has blocks from {first} only")
    return f"{target} blocks, at the head {took:.1f} s after its start"


def state_sync(scene):
    """A node without a vote joins by a snapshot of the others: at the head at once, with ranks."""
    node, servers = scene.joining, scene.validators[:2]
    height, waited = newest_snapshot(scene)
    trusted = servers[0].ask(f"/commit?height={height - 1}")["signed_header"]
    header_hash = trusted["commit"]["block_id"]["hash"]
    rpc = ",".join(server.rpc for server in servers)
    settings = {"enable": "true", "rpc_servers": f'"{rpc}"', "trust_height": height - 1,
                "trust_hash": f'"{header_hash}"', "trust_period": '"168h0m0s"',
                "discovery_time": '"5s"'}
    for key, value in settings.items():
        setting(node.settings, "statesync", key, value)
    node.start()
    took = scene.network.rejoined(node, 120)
    first = int(node.ask("/status")["sync_info"]["earliest_block_height"])
    if first == 1:
        raise Failed(f"{node.name} took all blocks from the first one, and no snapshot")
    if not scene.network.cyberd("top", "--node", node.rpc)["results"]:
        raise Failed(f"{node.name} has no ranks")
    return (f"snapshot at {first - 1} (waited {waited:.1f} s for one), at the head with ranks "
            f"{took:.1f} s after its start")


def newest_snapshot(scene):
    """The height of the newest snapshot that peers offer by now, and how long that took."""
    offered = lambda: (scene.network.top() - SNAPSHOT_AGE) // SNAPSHOT_HEIGHTS  # noqa: E731
    took = until("snapshot", lambda: offered() > 0, 120, 0.5)
    return offered() * SNAPSHOT_HEIGHTS, took


STORIES = {
    "agree": agree,
    "killed": killed,
    "paused": paused,
    "halted": halted,
    "cut": cut,
    "block-sync": block_sync,
    "state-sync": state_sync,
}
