// Runs every client of the conformance list against one real chain: see README.md.
//   check.mjs [--write] [--only WORD | --no-rust]
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { start } from "./lib/devchain.mjs";
import { good, markdown, replaced, states } from "./lib/table.mjs";
import { ACCOUNTS, ROWS, SUITES } from "./rows.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../../..");
const target = process.env.CARGO_TARGET_DIR ?? join(root, ".target");
const cyberd = process.env.CYBERD_BIN ?? join(target, "debug/cyberd");
/** Suites at once: they mostly wait for blocks. */
const AT_ONCE = 3;
const SUITE_MS = 240_000;

const flag = (name) => process.argv.includes(name);
const only = flag("--only") ? process.argv[process.argv.indexOf("--only") + 1] : "";

/** Runs one suite to its end; what it left unsaid is missing from its results. */
async function runSuite(suite, index, chain, folder) {
  const results = join(folder, `results-${index}.json`);
  const [program, ...rest] = suite.command;
  const child = spawn(program, rest, {
    cwd: here,
    stdio: ["ignore", "inherit", "inherit"],
    timeout: SUITE_MS,
    env: {
      ...process.env,
      CYBERD_BIN: cyberd,
      CYBERD_CHAIN: chain,
      CYBERD_RESULTS: results,
      CYBERD_FIRST_ACCOUNT: String(index * ACCOUNTS),
      CYBERD_ACCOUNTS: String(ACCOUNTS),
    },
  });
  await new Promise((resolve) => child.once("close", resolve));
  try {
    return JSON.parse(readFileSync(results, "utf8"));
  } catch (error) {
    console.error(`FAILED ${suite.client} ended without results: ${error.message}`);
    return [];
  }
}

async function runSuites(suites, chain, folder) {
  const waiting = [...suites.entries()];
  const results = [];
  const lane = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      results.push(...(await runSuite(next[1], next[0], chain, folder)));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return results;
}

/** Runs the Rust tests that rows point at; each of their tests is a result. */
function runRust(rows) {
  return rows.filter(({ rust }) => rust).flatMap(({ id, clients, rust }) => {
    const cargo = ["test", "--locked", "-p", "cyberd", ...rust.target, "--", ...rust.tests];
    const ran = spawnSync("cargo", cargo, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    const lines = [...ran.stdout.matchAll(/^test (\S+) \.\.\. (\w+)/gm)];
    if (ran.status !== 0) console.error(`FAILED ${id}: cargo ${cargo.join(" ")}\n${ran.stdout}${ran.stderr}`);
    return lines.map(([, name, word]) =>
      ({ row: id, client: clients[0], name, state: word === "ok" ? "passed" : "failed" }));
  });
}

/** Writes the table into the README, or says whether it is the one that stands there. */
function tableHolds(table) {
  const path = join(here, "README.md");
  const before = readFileSync(path, "utf8");
  const after = replaced(before, table);
  if (flag("--write")) writeFileSync(path, after);
  if (flag("--write") || before === after) return true;
  console.error("FAILED the table in testnet/checks/clients/README.md is not what the tests gave;");
  console.error(`testnet/checks/clients/run --write makes it:\n${table}`);
  return false;
}

async function main() {
  const begin = Date.now();
  const suites = SUITES.filter(({ client }) => client.includes(only));
  const wanted = (row) => !(row.rust && flag("--no-rust"));
  const rows = ROWS.filter(wanted).map((row) => ({ ...row, clients: row.clients.filter((one) => one.includes(only)) }));
  const rust = runRust(rows.filter(({ clients }) => clients.length > 0));
  const { chain, folder, stop } = await start(cyberd, suites.length * ACCOUNTS);
  let results = rust;
  try {
    const file = join(folder, "clients.json");
    writeFileSync(file, JSON.stringify(chain));
    results = [...rust, ...(await runSuites(suites, file, folder))];
  } finally {
    await stop();
  }
  const lines = states(rows, results);
  mkdirSync(join(target, "clients"), { recursive: true });
  writeFileSync(join(target, "clients/results.json"), `${JSON.stringify({ rows: lines, tests: results }, null, 1)}\n`);
  for (const line of lines.filter((line) => !good(line))) console.error(`FAILED ${line.id} ${line.client}: ${line.state}`);
  const known = new Set(lines.map(({ id, client }) => `${id} ${client}`));
  const stray = results.filter(({ row, client }) => !known.has(`${row} ${client}`));
  for (const { row, client } of stray) console.error(`FAILED ${row} ${client} is not in rows.mjs`);

  const table = only || flag("--no-rust") ? true : tableHolds(markdown(lines));
  const pending = new Set(ROWS.filter((row) => row.pending).map(({ id }) => id));
  const counted = results.filter(({ row }) => !pending.has(row));
  const failed = counted.filter(({ state }) => state !== "passed").length
    + lines.filter(({ state }) => state === "missing").length + stray.length + (table ? 0 : 1);
  console.log(`${Math.round((Date.now() - begin) / 1000)} s; results in ${join(target, "clients/results.json")}`);
  console.log(`${counted.length - counted.filter(({ state }) => state !== "passed").length} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}

await main();
