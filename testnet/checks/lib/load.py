"""A light load: small imports of new links, one after the other, each seen in a block.

The same file is imported again until the command says that all of it is on the chain, by any node
that answers: what was acknowledged once must be there for ever, and nothing may be there twice.
"""
import subprocess
import threading
import time

from nodes import Failed, environment


class Load:
    """Imports in the background until `end`."""

    def __init__(self, network, links=10, pause_s=1.0):
        self.network, self.links, self.pause_s = network, links, pause_s
        self.acknowledged = 0
        self.failures = 0
        self.last = ""
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        batch = 0
        file = self.network.folder / "load.tsv"
        while not self.ended.is_set():
            rows = range(batch * self.links, (batch + 1) * self.links)
            file.write_text("".join(f"word {row}\tword {row + 1}\n" for row in rows))
            turn = batch
            while not self.imported(file, turn):
                self.failures += 1
                turn += 1
                if self.ended.is_set():
                    return
                time.sleep(0.5)
            self.acknowledged += self.links
            batch += 1
            self.ended.wait(self.pause_s)

    def imported(self, file, turn):
        nodes = [node for node in self.network.validators if node.process]
        if not nodes:
            return False
        node = nodes[turn % len(nodes)]
        command = [self.network.binary, "import", file, "--from", "alice",
                   "--home", self.network.home, "--node", node.rpc]
        try:
            ran = subprocess.run([str(word) for word in command], env=environment(),
                                 capture_output=True, text=True, timeout=60, check=False)
        except subprocess.TimeoutExpired:
            self.last = f"{node.name}: no answer within 60 s"
            return False
        self.last = f"{node.name}: {ran.stderr.strip()[-300:]}"
        return ran.returncode == 0

    def passes(self, count, seconds=60):
        """Waits until so many more links are acknowledged."""
        wanted = self.acknowledged + count
        begin = time.monotonic()
        while self.acknowledged < wanted:
            if time.monotonic() - begin > seconds:
                raise Failed(f"no {count} links in a block within {seconds} s; {self.last}")
            time.sleep(0.1)

    def end(self):
        """Stops after the import under way; the links that are on the chain."""
        self.ended.set()
        self.thread.join(120)
        return self.acknowledged
