"""TCP proxies on loopback between every two nodes, so that a network can be cut.

Each node knows the others by the proxies' ports only, and `pex = false` keeps it from learning
more: then closing proxies is what a broken line is. A cut ends the connections and refuses new
ones; the peers dial again, as they do over the real network, five to eight seconds apart.
"""
import asyncio
import threading

from nodes import Failed, setting

CHUNK_BYTES = 1 << 16


class Proxies:
    """One listener for each pair (from, to) of nodes."""

    def __init__(self, nodes, base):
        self.ports = {}
        self.lines = {}
        self.cuts = set()
        self.loop = asyncio.new_event_loop()
        for place, (one, two) in enumerate(
                (one, two) for one in nodes for two in nodes if one is not two):
            self.ports[one.name, two.name] = (base + place, two.p2p_port)
        for node in nodes:
            peers = [f"{other.id}@127.0.0.1:{self.ports[node.name, other.name][0]}"
                     for other in nodes if other is not node]
            setting(node.settings, "p2p", "persistent_peers", f'"{",".join(peers)}"')
            setting(node.settings, "p2p", "pex", "false")
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.call(self.listen())

    def call(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    async def listen(self):
        for pair, (port, target) in self.ports.items():
            serve = lambda reader, writer, pair=pair, target=target: (  # noqa: E731
                self.serve(pair, target, reader, writer))
            try:
                await asyncio.start_server(serve, "127.0.0.1", port)
            except OSError as error:
                hint = "--port-base N chooses others, best below 32768"
                raise Failed(f"port {port} of a proxy: {error.strerror}; {hint}") from error

    async def serve(self, pair, target, reader, writer):
        if pair in self.cuts:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
        except OSError:
            writer.transport.abort()
            return
        ends = self.lines.setdefault(pair, set())
        both = {writer, far_writer}
        ends |= both
        try:
            await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
        finally:
            ends -= both

    def cut(self, one_side, other_side):
        """Ends all lines between the two groups of nodes until `heal`."""
        pairs = {(one.name, two.name) for one in one_side for two in other_side}
        pairs |= {(two, one) for one, two in pairs}

        async def work():
            self.cuts |= pairs
            for pair in pairs:
                for end in self.lines.get(pair, set()).copy():
                    end.transport.abort()
        self.call(work())

    def heal(self):
        async def work():
            self.cuts.clear()
        self.call(work())

    def open_lines(self):
        return sum(len(ends) // 2 for ends in self.lines.values())


async def pump(reader, writer):
    try:
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.transport.abort()
