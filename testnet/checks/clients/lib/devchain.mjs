// A development chain of one validator with a real CometBFT, ended with this process.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const READY_MS = 120_000;
const STOP_MS = 20_000;
const pause = (ms) => new Promise((wake) => setTimeout(wake, ms));

const free = (port) => new Promise((answer) => {
  const server = createServer();
  server.once("error", () => answer(false));
  server.listen(port, "127.0.0.1", () => server.close(() => answer(true)));
});

/** The first of six ports that nobody listens on. */
async function portBase() {
  for (let tried = 0; tried < 100; tried += 1) {
    const base = 46_000 + 10 * Math.floor(Math.random() * 190);
    const row = await Promise.all([0, 1, 2, 3, 4, 5].map((more) => free(base + more)));
    if (row.every(Boolean)) return base;
  }
  throw new Error("no six free ports in a row between 46000 and 47900");
}

/** Starts a chain; gives its `--config-out` with all addresses, and how to stop it. */
export async function start(cyberd, accounts) {
  const folder = mkdtempSync(join(tmpdir(), "cyberd-clients-"));
  const [log, config] = [join(folder, "dev.log"), join(folder, "chain.json")];
  const base = await portBase();
  const flags = ["--no-import", "--block-time", "150ms", "--accounts", accounts, "--port-base", base, "--config-out", config];
  const output = openSync(log, "w");
  const dev = spawn(cyberd, ["dev", "--home", join(folder, "home"), ...flags.map(String)], {
    stdio: ["ignore", output, output],
  });
  let ended = false;
  const end = new Promise((resolve) => dev.once("exit", () => { ended = true; resolve(); }));
  // Whatever ends this process ends the chain: its own children end with it.
  process.once("exit", () => ended || dev.kill("SIGTERM"));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));

  const said = () => readFileSync(log, "utf8");
  const begin = Date.now();
  while (!existsSync(config)) {
    if (ended || Date.now() - begin > READY_MS) throw new Error(`the chain did not start:\n${said()}`);
    await pause(50);
  }
  const chain = {
    ...JSON.parse(readFileSync(config, "utf8")),
    rest: `http://127.0.0.1:${base + 4}`,
    grpc: `127.0.0.1:${base + 3}`,
    websocket: `ws://127.0.0.1:${base}/websocket`,
  };
  const stop = async () => {
    const early = ended;
    dev.kill("SIGTERM");
    await Promise.race([end, pause(STOP_MS)]);
    if (!ended) dev.kill("SIGKILL");
    const text = said();
    rmSync(folder, { recursive: true, force: true });
    if (early) throw new Error(`the chain ended before its time:\n${text}`);
    if (/panicked at/.test(text)) throw new Error(`the node panicked:\n${text}`);
  };
  return { chain, folder, stop };
}
