"""Nodes of a network on loopback: homes that `cyberd dev --write-only` wrote, a process pair each.

Every node is a `cyberd run` of its own, so one can be killed, paused or stopped without touching
the others. Whatever ends this program ends them.
"""
import atexit
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
READY_S = 120
STOP_S = 12


class Failed(Exception):
    """A check did not hold."""


def program():
    """The binary: CYBERD_BIN, or the one of this checkout, built if it is not there."""
    named = os.environ.get("CYBERD_BIN")
    if named:
        return str(pathlib.Path(named).resolve())
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / ".target"))
    command = ["cargo", "build", "--quiet", "--locked", "--package", "cyberd", "--bin", "cyberd"]
    subprocess.run(command, cwd=ROOT, check=True)
    return str(target / "debug/cyberd")


def cometbft():
    """CometBFT where cyberd finds it too."""
    named = os.environ.get("CYBERD_COMETBFT")
    places = [named, str(ROOT / ".tools/bin/cometbft"), shutil.which("cometbft")]
    found = next((place for place in places if place and os.path.exists(place)), None)
    if not found:
        raise Failed("no CometBFT: set CYBERD_COMETBFT, or let testnet/up install it")
    return found


def environment():
    """Ours without settings that would reach the nodes."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CYBERD_")}
    named = os.environ.get("CYBERD_COMETBFT")
    return kept | ({"CYBERD_COMETBFT": named} if named else {})


def free_base(count, first=22_000, last=32_000):
    """The first of `count` ports in a row that nobody has, below those that systems give away."""
    start = first + os.getpid() % 20 * 100
    for base in [*range(start, last - count, 100), *range(first, start, 100)]:
        if all(is_free(port) for port in range(base, base + count)):
            return base
    raise Failed(f"no {count} free ports in a row between {first} and {last}")


def is_free(port):
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def until(what, holds, seconds, pause_s=0.1, context=lambda: ""):
    """Waits until something holds; how long it took."""
    begin = time.monotonic()
    while True:
        found = holds()
        took = time.monotonic() - begin
        if found:
            return took
        if took > seconds:
            raise Failed(f"no {what} within {seconds:.0f} s {context()}".rstrip())
        time.sleep(pause_s)


def children(parent):
    """The processes that a process started and that have not ended."""
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        state, of = text[text.rindex(")") + 1:].split()[:2]
        if int(of) == parent and state != "Z":
            found.append(int(text.split(" ", 1)[0]))
    return found


def setting(path, section, key, value):
    """Sets a key of a TOML file: `value` is written as it stands."""
    text = path.read_text()
    head = f"[{section}]"
    if head not in text:
        text = f"{text.rstrip()}\n\n{head}\n"
    before, after = text.split(head, 1)
    part, rest = re.match(r"(.*?)(?=^\[|\Z)(.*)", after, re.DOTALL | re.MULTILINE).groups()
    line, count = re.subn(rf"(?m)^{key} *=.*$", lambda _: f"{key} = {value}", part)
    part = line if count else f"\n{key} = {value}{part}"
    path.write_text(before + head + part + rest)


class Node:
    """One node: its home, its ports, its process."""

    def __init__(self, command, environment, name, home, rpc_port, log):
        self.command, self.environment = command, environment
        self.name, self.home, self.rpc_port = name, pathlib.Path(home), rpc_port
        self.log = pathlib.Path(log)
        self.process = None
        self.connection = None

    @property
    def rpc(self):
        return f"http://127.0.0.1:{self.rpc_port}"

    def start(self):
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.environment, start_new_session=True)
        return self

    def pair(self):
        """Application and CometBFT."""
        return children(self.process.pid)

    def signal_pair(self, number):
        """Sends a signal to both processes; whether there were two."""
        both = self.pair()
        for process in both:
            try:
                os.kill(process, number)
            except ProcessLookupError:
                pass
        return len(both) == 2

    def kill(self):
        """kill -9 of all three processes."""
        both = self.pair()
        self.process.kill()
        self.process.wait()
        for process in both:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass
        until(f"end of {self.name}", lambda: not any(map(is_alive, both)), 10, 0.02)
        self.process = None

    def stop(self):
        """SIGTERM, and SIGKILL when it is not heard; how long it took."""
        begin = time.monotonic()
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.signal_pair(signal.SIGCONT)
                self.kill()
            self.process = None
        return time.monotonic() - begin

    def ask(self, path, timeout_s=2):
        """The result of an RPC call, `None` while there is none."""
        # A connection that was idle for ten seconds is closed by the other side.
        return self.ask_once(path, timeout_s) or self.ask_once(path, timeout_s)

    def ask_once(self, path, timeout_s):
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection(
                    "127.0.0.1", self.rpc_port, timeout=timeout_s)
            self.connection.request("GET", path)
            answer = self.connection.getresponse()
            return json.loads(answer.read()).get("result")
        except (OSError, ValueError, http.client.HTTPException):
            if self.connection is not None:
                self.connection.close()
            self.connection = None
            return None

    def head(self):
        """Latest height and whether blocks are still being fetched; `None` while it is silent."""
        status = self.ask("/status")
        if not status:
            return None
        info = status["sync_info"]
        return int(info["latest_block_height"]), info["catching_up"]

    def height(self):
        head = self.head()
        return head[0] if head else 0

    def said(self, lines=15):
        """The last lines of its logs, for failures."""
        parts = []
        for path in [self.log, self.home / "logs/cometbft.log"]:
            try:
                tail = path.read_text(errors="replace").splitlines()[-lines:]
            except OSError:
                continue
            parts.append(f"--- {self.name} {path.name}\n" + "\n".join(line[:300] for line in tail))
        return "\n".join(parts)


def is_alive(process):
    try:
        text = pathlib.Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return text[text.rindex(")") + 1:].split()[0] != "Z"


class Network:
    """A chain's nodes: validators of equal power first, then nodes without a vote."""

    def __init__(self, validators, full_nodes, block_time, base=None, ports=0, accounts=8,
                 prepare=lambda home: None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cyberd-net-"))
        self.nodes = []
        atexit.register(self.close)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit("stopped"))
        self.base = base or free_base(10 * (validators + full_nodes) + ports)
        self.binary, self.kept = program(), False
        self.home = self.folder / "home"
        prepare(self.home)
        described = self.cyberd(
            "dev", "--write-only", "--no-import", "--nodes", validators, "--full-nodes", full_nodes,
            "--accounts", accounts, "--block-time", block_time, "--port-base", self.base)
        self.description = described
        self.nodes = [self.node(index, one) for index, one in enumerate(described["nodes"])]
        self.validators = self.nodes[:validators]

    def node(self, index, described):
        command = [self.binary, "run", "--home", described["home"]]
        log = self.folder / f"{described['name']}.log"
        node = Node(command, environment(), described["name"], described["home"],
                    self.base + 10 * index, log)
        node.id, node.p2p_port = described["peer"].split("@")[0], node.rpc_port + 1
        node.settings = node.home / "config/config.toml"
        node.app_settings = node.home / "config/app.toml"
        return node

    def cyberd(self, *arguments, timeout_s=120):
        """What a command answers, as JSON."""
        command = [self.binary, "--home", self.home, "--output", "json", *arguments]
        ran = subprocess.run([str(word) for word in command], env=environment(),
                             capture_output=True, text=True, timeout=timeout_s, check=False)
        if ran.returncode:
            said = (ran.stderr + ran.stdout).strip()
            raise Failed(f"cyberd {' '.join(map(str, arguments))}: {said}")
        return json.loads(ran.stdout)

    def top(self, nodes=None):
        """The highest height that any of the running nodes has."""
        return max((node.height() for node in nodes or self.nodes if node.process), default=0)

    def reach(self, height, seconds=READY_S, nodes=None):
        """Waits until all validators (or these nodes) have a height; how long it took."""
        nodes = nodes or self.validators
        shown = lambda: str([node.height() for node in nodes])  # noqa: E731
        return until(f"height {height}", lambda: all(node.height() >= height for node in nodes),
                     seconds, context=shown)

    def rejoined(self, node, seconds=60):
        """Waits until a node is at the head of the others; how long it took."""
        others = [other for other in self.nodes if other.process and other is not node]

        def there():
            top, head = self.top(others), node.head()
            return head and not head[1] and head[0] >= top > 0
        return until(f"return of {node.name}", there, seconds, 0.1,
                     lambda: f"(at {node.height()}, the others at {self.top(others)})")

    def close(self):
        for node in self.nodes:
            if node.process:
                node.signal_pair(signal.SIGCONT)
                node.process.terminate()
        for node in self.nodes:
            node.stop()
        if not self.kept:
            shutil.rmtree(self.folder, ignore_errors=True)
