// Links two words and waits for the rank, with CosmJS:
//   RPC=http://127.0.0.1:26657 WORDS="…" node cosmjs.mjs dog animal
import { DirectSecp256k1HdWallet, Registry } from "@cosmjs/proto-signing";
import { QueryClient, SigningStargateClient } from "@cosmjs/stargate";
import { connectComet } from "@cosmjs/tendermint-rpc";
import protobuf from "protobufjs";
import { particle } from "./particle.mjs";

const { RPC = "http://127.0.0.1:26657", WORDS } = process.env;
const [from, to] = await Promise.all(process.argv.slice(2, 4).map(particle));

// The messages that CosmJS does not know, by their field numbers.
const { root } = protobuf.parse(`syntax = "proto3";
  message Link { string from = 1; string to = 2; }
  message MsgCyberlink { string neuron = 1; repeated Link links = 2; }
  message QueryRankRequest { string particle = 1; }
  message QueryRankResponse { uint64 rank = 1; }`);
const [Message, Request, Response] =
  ["MsgCyberlink", "QueryRankRequest", "QueryRankResponse"].map((name) => root.lookupType(name));

const wallet = await DirectSecp256k1HdWallet.fromMnemonic(WORDS, { prefix: "bostrom" });
const [{ address: neuron }] = await wallet.getAccounts();
const typeUrl = "/cyber.graph.v1beta1.MsgCyberlink";
const options = { registry: new Registry([[typeUrl, Message]]), broadcastPollIntervalMs: 200 };
const client = await SigningStargateClient.connectWithSigner(RPC, wallet, options);
const link = { typeUrl, value: { neuron, links: [{ from, to }] } };
// Cyberlinks cost bandwidth, no coins: the fee is empty.
const sent = await client.signAndBroadcast(neuron, [link], { amount: [], gas: "100000" });
if (sent.code !== 0) throw new Error(sent.rawLog);

const queries = new QueryClient(await connectComet(RPC));
for (let rank = 0; rank == 0; await new Promise((wake) => setTimeout(wake, 200))) {
  const asked = Request.encode({ particle: to }).finish();
  const { value } = await queries.queryAbci("/cyber.rank.v1beta1.Query/Rank", asked);
  rank = Response.decode(value).rank;
  if (rank > 0) console.log(`block ${sent.height}: ${to} has rank ${rank}`);
}
process.exit(0);
