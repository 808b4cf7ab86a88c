"""Whether all nodes have one history: blocks, and the app hash each computed itself.

A block's hash tells that nodes have the same block. That a node came to the same state says the
app hash in its own `/block_results`, which is what its application answered for that block.
"""
import datetime

from nodes import Failed

PAGE = 20
# Of an empty list of evidence.
NO_EVIDENCE = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"


def moment(text):
    """RFC 3339 with nanoseconds as seconds."""
    text, _, fraction = text.rstrip("Z").partition(".")
    whole = datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.timezone.utc)
    return whole.timestamp() + float(f"0.{fraction or 0}")


def asked(node, path):
    result = node.ask(path, 10)
    if result is None:
        raise Failed(f"{node.name} does not answer {path}")
    return result


def blocks(node, first, last):
    """Header and hash by height."""
    found = {}
    for low in range(first, last + 1, PAGE):
        high = min(low + PAGE - 1, last)
        page = asked(node, f"/blockchain?minHeight={low}&maxHeight={high}")
        for meta in page["block_metas"]:
            height = int(meta["header"]["height"])
            found[height] = (meta["block_id"]["hash"], meta["header"])
    return found


def compare(nodes):
    """Compares all heights of all nodes; counts, or `Failed` at the first difference."""
    first, results = {}, 0
    forks, wrong, evidence = 0, 0, 0
    # The block of the latest height is stored before it is executed.
    last = min(node.height() for node in nodes) - 1
    for node in nodes:
        info = asked(node, "/status")["sync_info"]
        earliest = max(1, int(info["earliest_block_height"]))
        for height, (block, header) in blocks(node, earliest, last).items():
            evidence += header["evidence_hash"] != NO_EVIDENCE
            kept = first.setdefault(height, {"block": block, "header": header, "own": None})
            forks += kept["block"] != block
            own = asked(node, f"/block_results?height={height}").get("app_hash")
            kept["own"] = kept["own"] or own
            wrong += own != kept["own"] or not own
            results += 1
    times = [moment(first[height]["header"]["time"]) for height in sorted(first)]
    gaps = [later - earlier for earlier, later in zip(times, times[1:])]
    rounds = sum(1 for gap in gaps if gap > 3)
    counts = {"heights": last, "compared": results, "forks": forks, "wrong": wrong,
              "evidence": evidence, "gap_s": max(gaps, default=0), "slow": rounds,
              "seconds": times[-1] - times[0]}
    if forks or wrong or evidence:
        raise Failed(f"the nodes differ: {counts}")
    return counts
