"""One client's tests in Python: what lib/suite.mjs is for JavaScript."""

import json
import os
import sys
import time
import traceback

CHAIN = json.load(open(os.environ["CYBERD_CHAIN"]))
_FIRST = int(os.environ["CYBERD_FIRST_ACCOUNT"])
_accounts = iter(range(_FIRST, _FIRST + int(os.environ["CYBERD_ACCOUNTS"])))
_tests = []


def account():
    """A funded account that no other test uses: name, address, mnemonic."""
    return CHAIN["accounts"][next(_accounts)]


def test(row, name):
    """Registers a test of a row of the conformance list."""

    def register(run):
        _tests.append((row, name, run))
        return run

    return register


def eventually(what, ask, patience_s=30):
    """Asks until the answer is a true value; fails, naming what was waited for."""
    begin = time.monotonic()
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() - begin < patience_s, f"no {what} within {patience_s} s"
        time.sleep(0.1)


def run(client):
    """Runs all tests and writes their results."""
    results = []
    for row, name, test in _tests:
        begin, error = time.monotonic(), None
        try:
            test()
        except BaseException:
            error = traceback.format_exc()
        result = {"row": row, "client": client, "name": name, "state": "failed" if error else "passed"}
        result.update(error=error, ms=round((time.monotonic() - begin) * 1000))
        results.append(result)
        print(f"{'FAILED' if error else 'ok    '} {row} {client}: {name}", error or "", file=sys.stderr)
    json.dump(results, open(os.environ["CYBERD_RESULTS"], "w"), indent=1)
