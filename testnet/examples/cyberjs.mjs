// Links two words and waits for the rank, with cyber-js:
//   RPC=http://127.0.0.1:26657 WORDS="…" node cyberjs.mjs dog animal
import { createRequire } from "node:module";
import cyber from "@cybercongress/cyber-js";
import { particle } from "./particle.mjs";

// The wallet of the CosmJS that cyber-js itself uses.
const require = createRequire(createRequire(import.meta.url).resolve("@cybercongress/cyber-js"));
const { DirectSecp256k1HdWallet } = require("@cosmjs/proto-signing");

const { RPC = "http://127.0.0.1:26657", WORDS } = process.env;
const [from, to] = await Promise.all(process.argv.slice(2, 4).map(particle));
const wallet = await DirectSecp256k1HdWallet.fromMnemonic(WORDS, { prefix: "bostrom" });
const [{ address: neuron }] = await wallet.getAccounts();
const client = await cyber.SigningCyberClient.connectWithSigner(RPC, wallet);

const sent = await client.cyberlink(neuron, from, to, "auto");
if (sent.code !== 0) throw new Error(sent.rawLog);

const until = async (ask) => {
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    await new Promise((wake) => setTimeout(wake, 200));
  }
};
// cyber-js hands the transaction over and does not wait for its block.
const { height, code, rawLog } = await until(() => client.getTx(sent.transactionHash));
if (code !== 0) throw new Error(rawLog);
const found = await until(async () =>
  (await client.search(from)).result.find((one) => one.particle === to && Number(one.rank) > 0));
console.log(`block ${height}: ${found.particle} has rank ${found.rank}`);
process.exit(0);
