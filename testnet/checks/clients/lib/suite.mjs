// One client's tests: named, run one after another, their results written as JSON.
// A suite runs in a process of its own against the chain described in CYBERD_CHAIN (the JSON of
// `cyberd dev --config-out`); the accounts from CYBERD_FIRST_ACCOUNT on are its own.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";

const TEST_MS = 90_000;

export const chain = JSON.parse(readFileSync(process.env.CYBERD_CHAIN, "utf8"));
export const { rpc, rest, grpc, chain_id: chainId } = chain;
/** How often clients ask for their transaction: about a block. */
export const pollMs = 100;

let nextAccount = Number(process.env.CYBERD_FIRST_ACCOUNT);
const lastAccount = nextAccount + Number(process.env.CYBERD_ACCOUNTS);

/** A funded account that no other test uses: name, address, mnemonic. */
export function account() {
  assert(nextAccount < lastAccount, "a suite has its own accounts only: give it more");
  return chain.accounts[nextAccount++];
}

const tests = [];

/** Registers a test of a row of the conformance list. */
export function test(row, name, run) {
  tests.push({ row, name, run });
}

/** Runs all tests; the process ends with 0 whatever their results, which are in the file. */
export async function run(client) {
  const results = [];
  for (const { row, name, run } of tests) {
    const begin = Date.now();
    const error = await outcome(run);
    results.push({ row, client, name, state: error ? "failed" : "passed", error, ms: Date.now() - begin });
    console.error(`${error ? "FAILED" : "ok    "} ${row} ${client}: ${name}${error ? `\n${indented(error)}` : ""}`);
  }
  writeFileSync(process.env.CYBERD_RESULTS, JSON.stringify(results, null, 1));
  process.exit(0);
}

async function outcome(run) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${TEST_MS} ms`)), TEST_MS);
  });
  try {
    await Promise.race([run(), late]);
    return undefined;
  } catch (error) {
    return String(error?.stack ?? error);
  } finally {
    clearTimeout(timer);
  }
}

const indented = (text) => text.split("\n").map((line) => `         ${line}`).join("\n");

/** Asks until the answer is a true value; fails, naming what was waited for. */
export async function eventually(what, ask, patienceMs = 30_000) {
  const begin = Date.now();
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    assert(Date.now() - begin < patienceMs, `no ${what} within ${patienceMs} ms`);
    await new Promise((wake) => setTimeout(wake, pollMs));
  }
}

/** A text that no other test links: ranks and counts are then a test's own. */
let made = 0;
export const unique = (word) => `${word} ${process.env.CYBERD_FIRST_ACCOUNT} ${++made} ${Date.now()}`;
