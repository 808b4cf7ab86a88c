// The examples of testnet/examples: each links two words of its own and reads the new rank.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import puppeteer from "puppeteer-core";
import { account, chain, chainId, grpc, rest, rpc, run, test, unique } from "../lib/suite.mjs";
import * as common from "../lib/cosmjs.mjs";
import { particle } from "../lib/particle.mjs";

const examples = join(dirname(fileURLToPath(import.meta.url)), "../../../examples");
const js = common.load("0.39.0");
const started = promisify(execFile);
const words = () => [unique("example from"), unique("example to")];

/** Runs a program in the folder of examples; what it prints. */
async function printed(program, given, environment) {
  const options = { cwd: examples, timeout: 80_000, env: { ...process.env, ...environment } };
  return (await started(program, given, options)).stdout.trim();
}

/** What the example said must be so, and the link must be there. */
async function shown(said, [from, to], neuron) {
  assert.match(said, new RegExp(`(^|: )${particle(to)} has rank [1-9]\\d*$`));
  const path = `/cyber/rank/v1beta1/is_link_exist?from=${particle(from)}&to=${particle(to)}&address=${neuron}`;
  assert.deepEqual(await (await fetch(rest + path)).json(), { exist: true });
}

for (const [row, file] of [["E01", "cosmjs.mjs"], ["E02", "cyberjs.mjs"]]) {
  test(row, `${file} links and reads the rank`, async () => {
    const [{ address, mnemonic }, pair] = [account(), words()];
    await shown(await printed("node", [file, ...pair], { RPC: rpc, WORDS: mnemonic }), pair, address);
  });
}

test("E03", "curl.sh links and reads the rank", async () => {
  const [{ name, address }, pair] = [account(), words()];
  const environment = { REST: rest, RPC: rpc, FROM: name, CYBERD_HOME: chain.home };
  await shown(await printed("./curl.sh", pair, environment), pair, address);
});

test("E04", "python.py links and reads the rank", async () => {
  const [one, pair] = [account(), words()];
  const seed = await js.crypto.Bip39.mnemonicToSeed(new js.crypto.EnglishMnemonic(one.mnemonic));
  const { privkey } = js.crypto.Slip10.derivePath(js.crypto.Slip10Curve.Secp256k1, seed, js.amino.makeCosmoshubPath(0));
  const environment = { GRPC: grpc, NEURON: one.address, KEY: js.encoding.toHex(privkey) };
  const python = process.env.CYBERD_PYTHON;
  await shown(await printed(python, ["python.py", ...pair.map(particle)], environment), pair, one.address);
});

/** The folder of examples as a web server shows it. */
async function served() {
  const types = { html: "text/html", mjs: "text/javascript" };
  const server = createServer((request, answer) => {
    const name = new URL(request.url, "http://x").pathname.slice(1);
    const type = types[name.split(".")[1]];
    if (!["browser.html", "particle.mjs"].includes(name)) return answer.writeHead(404).end();
    return answer.writeHead(200, { "content-type": type }).end(readFileSync(join(examples, name)));
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return { server, address: `http://127.0.0.1:${server.address().port}` };
}

/** What Keplr is to a page, made of a CosmJS wallet: keys and signatures as arrays of numbers. */
async function keplr(page, wallet) {
  const asked = [];
  const [{ address, pubkey }] = await wallet.getAccounts();
  await page.exposeFunction("askWallet", async (method, given) => {
    asked.push(method);
    if (method === "experimentalSuggestChain") assert.equal(given.chainId, chainId);
    if (method === "getKey") return { bech32Address: address, pubKey: [...pubkey] };
    if (method !== "signDirect") return null;
    const document = {
      bodyBytes: Uint8Array.from(given.body),
      authInfoBytes: Uint8Array.from(given.auth),
      chainId: given.chainId,
      accountNumber: BigInt(given.accountNumber),
    };
    return (await wallet.signDirect(address, document)).signature;
  });
  await page.evaluateOnNewDocument(() => {
    window.keplr = {
      experimentalSuggestChain: (info) => window.askWallet("experimentalSuggestChain", info),
      enable: (id) => window.askWallet("enable", id),
      getKey: async (id) => {
        const key = await window.askWallet("getKey", id);
        return { ...key, pubKey: Uint8Array.from(key.pubKey) };
      },
      signDirect: async (id, signer, signed) => {
        const { bodyBytes, authInfoBytes, accountNumber } = signed;
        const given = { body: [...bodyBytes], auth: [...authInfoBytes], chainId: id, accountNumber: String(accountNumber) };
        return { signed, signature: await window.askWallet("signDirect", given) };
      },
    };
  });
  return asked;
}

test("E05", "browser.html links with window.keplr and shows the rank", async () => {
  const [one, pair] = [account(), words()];
  const { server, address } = await served();
  const browser = await puppeteer.launch({
    executablePath: process.env.CYBERD_CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  });
  try {
    const page = await browser.newPage();
    const errors = [];
    page.on("pageerror", (error) => errors.push(error.message));
    const asked = await keplr(page, await common.wallet(js, one));
    await page.goto(`${address}/browser.html?rest=${rest}`);
    for (const [at, name] of ["from", "to"].entries()) {
      await page.$eval(`[name=${name}]`, (input, value) => { input.value = value; }, pair[at]);
    }
    await page.click("button");
    const output = await page.waitForFunction(() => document.querySelector("output").textContent, { timeout: 60_000 })
      .catch((error) => assert.fail(`${error.message}; the page's errors: ${errors}`));
    await shown(await output.jsonValue(), pair, one.address);
    assert.deepEqual(asked, ["experimentalSuggestChain", "enable", "getKey", "signDirect"]);
    assert.deepEqual(errors, []);
  } finally {
    await browser.close();
    server.close();
  }
});

test("E06", "every example has less than 40 lines", async () => {
  for (const name of ["cosmjs.mjs", "cyberjs.mjs", "curl.sh", "python.py", "browser.html", "particle.mjs"]) {
    const lines = readFileSync(join(examples, name), "utf8").trimEnd().split("\n").length;
    assert(lines < 40, `${name} has ${lines}`);
  }
});

await run("examples");
