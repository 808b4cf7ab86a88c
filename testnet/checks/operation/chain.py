"""A development chain for checks: started in a folder of its own, stopped whatever happens."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def binary():
    """The cyberd to check: CYBERD_BIN, or the one that `cargo test` built."""
    path = Path(os.environ.get("CYBERD_BIN", ROOT / ".target/debug/cyberd")).resolve()
    if not path.exists():
        sys.exit(f"{path} is missing: cargo build -p cyberd, or CYBERD_BIN=PATH")
    return path


def need(*programs_and_packages):
    """Sees that programs are there, as `need` beside this file does; ends the check without."""
    words = [ROOT / "testnet/checks/operation/need", *programs_and_packages]
    done = subprocess.run(words, check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)


def free_ports(count):
    """The first of `count` ports in a row that nobody listens at, below those the system lends."""
    for _ in range(100):
        base = random.randrange(20000, 31000, 10)
        held = []
        try:
            for port in range(base, base + count):
                held.append(socket.socket())
                held[-1].bind(("127.0.0.1", port))
            return base
        except OSError:
            continue
        finally:
            for one in held:
                one.close()
    sys.exit("no ports in a row are free")


def get(url, timeout_s=5):
    """The body at a URL."""
    with urllib.request.urlopen(url, timeout=timeout_s) as answer:
        return answer.read().decode()


def wait_for(what, look, limit_s, pause_s=0.2):
    """What `look` answers as soon as that is something; ends the check after `limit_s`."""
    start, last = time.monotonic(), None
    while time.monotonic() - start < limit_s:
        try:
            found = look()
            if found:
                return found
        except (OSError, ValueError, KeyError) as error:
            last = error
        time.sleep(pause_s)
    raise SystemExit(f"{what}: not within {limit_s} s" + (f" ({last})" if last else ""))


def height(rpc):
    """The latest height that a node's RPC tells."""
    status = json.loads(get(f"http://127.0.0.1:{rpc}/status"))
    return int(status["result"]["sync_info"]["latest_block_height"])


class DevChain:
    """`cyberd dev` without a graph, in the background. Ports: base RPC, +2 CometBFT's metrics,
    +4 REST, +5 ours."""

    def __init__(self):
        self.home = Path(tempfile.mkdtemp(prefix="cyberd-check-"))
        self.base = free_ports(10)

    def __enter__(self):
        try:
            self.cyberd("dev", "--port-base", str(self.base), "--no-import", "--detach")
        except BaseException:
            self.__exit__()
            raise
        return self

    def cyberd(self, *words):
        """Runs a command against the chain; its standard output."""
        done = subprocess.run(
            [binary(), "--home", self.home, *words], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"cyberd {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(self, *words):
        """Starts a command against the chain, its output thrown away."""
        return subprocess.Popen(
            [binary(), "--home", self.home, *words],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __exit__(self, *_):
        lock = self.home / "cyberd.lock"
        number = int((lock.read_text() or "0") if lock.exists() else 0)
        if number:
            try:
                os.kill(number, signal.SIGTERM)
                start = time.monotonic()
                while time.monotonic() - start < 10:
                    os.kill(number, 0)
                    time.sleep(0.1)
                os.kill(number, signal.SIGKILL)
            except ProcessLookupError:
                pass
        shutil.rmtree(self.home, ignore_errors=True)
