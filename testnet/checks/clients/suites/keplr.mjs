// Keplr's own libraries (rows K01 to K03): what it asks when a chain is added, how it reads an
// account, how it simulates, sends over HTTP and waits over the WebSocket.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import WebSocket from "ws";
import { account, chainId, rest, rpc, run, test } from "../lib/suite.mjs";
import * as common from "../lib/cosmjs.mjs";

const here = createRequire(import.meta.url);
const validator = here("@keplr-wallet/chain-validator");
const { BaseAccount, TendermintTxTracer } = here("@keplr-wallet/cosmos");
const js = common.load("0.39.0");
const { send, signer, stranger } = common;

const json = async (path, body) => {
  const options = body && { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(rest + path, options);
  return { status: answer.status, ...(await answer.json()) };
};

/** What a function logs: Keplr's checks log a failure and go on. */
async function logged(run) {
  const [log, lines] = [console.log, []];
  console.log = (...words) => lines.push(words.join(" "));
  try {
    return [await run(), lines];
  } finally {
    console.log = log;
  }
}

test("K01", "the RPC address answers over HTTP and WebSocket", async () => {
  await validator.checkRPCConnectivity(chainId, rpc, (url) => new WebSocket(url));
  const other = validator.checkRPCConnectivity("other-1", rpc, (url) => new WebSocket(url));
  await assert.rejects(other, /different chain id/);
});

test("K01", "the REST address answers for the chain", async () => {
  await validator.checkRestConnectivity(chainId, rest);
  await assert.rejects(validator.checkRestConnectivity("other-1", rest), /different chain id/);
});

test("K01", "the six probes find the features the chain has, and no others", async () => {
  const ask = (features) => logged(() => validator.checkChainFeatures({ rpc, rest, features }));
  for (const features of [[], ["cosmwasm"], ["ibc-go", "cosmwasm"]]) {
    const [found, lines] = await ask(features);
    assert.deepEqual(found, ["query:/cosmos/bank/v1beta1/spendable_balances"]);
    // These two probes take nothing but 200 and 400: an absent module is a log line for them.
    const unexpected = lines.filter((line) => !/\((feemarket|ibc-v2)\)/.test(line));
    assert.deepEqual(unexpected, []);
  }
});

test("K01", "the chain info that the node gives out is one Keplr takes", async () => {
  const answer = await fetch(`${rest}/chain-info`);
  assert.equal(answer.status, 200);
  const info = await validator.validateBasicChainInfoType(await answer.json());
  assert.equal(info.chainId, chainId);
  assert.deepEqual([info.feeCurrencies[0].coinMinimalDenom, info.bech32Config.bech32PrefixAccAddr], ["boot", "bostrom"]);
});

test("K02", "an account is read from REST, one that is unknown is 404", async () => {
  const { address } = account();
  const read = await BaseAccount.fetchFromRest(rest, address);
  assert.deepEqual([read.getType(), read.getAddress()], ["/cosmos.auth.v1beta1.BaseAccount", address]);
  assert.deepEqual([read.getSequence().toString(), Number(read.getAccountNumber().toString()) >= 0], ["0", true]);
  const nobody = (await stranger(js)).address;
  const unknown = await json(`/cosmos/auth/v1beta1/accounts/${nobody}`);
  assert.deepEqual([unknown.status, unknown.code], [404, 5]);
  await assert.rejects(BaseAccount.fetchFromRest(rest, nobody));
  // Told to take the address for a new account then, Keplr does.
  assert.equal((await BaseAccount.fetchFromRest(rest, nobody, true)).getAddress(), nobody);
});

test("K02", "balances are read in one page", async () => {
  const { address, balance } = account();
  for (const kind of ["balances", "spendable_balances"]) {
    const all = await json(`/cosmos/bank/v1beta1/${kind}/${address}?pagination.limit=1000`);
    assert.deepEqual([all.status, all.balances, all.pagination.next_key], [200, [balance], null]);
  }
});

/** A transaction as Keplr simulates it: no public key, amino mode, a signature of zeros. */
function simulated(messages, sequence) {
  const { AuthInfo, Fee, TxBody, TxRaw } = js.tx;
  const body = new js.signing.Registry(js.stargate.defaultRegistryTypes)
    .encodeTxBody({ messages, memo: "" });
  const modeInfo = { single: { mode: 127 } };
  const info = AuthInfo.fromPartial({
    signerInfos: [{ publicKey: undefined, modeInfo, sequence: BigInt(sequence) }],
    fee: Fee.fromPartial({ amount: [], gasLimit: 0n }),
  });
  return Buffer.from(TxRaw.encode({
    bodyBytes: body ?? TxBody.encode({}).finish(),
    authInfoBytes: AuthInfo.encode(info).finish(),
    signatures: [new Uint8Array(64)],
  }).finish()).toString("base64");
}

test("K03", "simulates without a public key, sends over HTTP, waits over the WebSocket", async () => {
  const from = account();
  const messages = [send(from.address, account().address, 9)];
  const simulation = await json("/cosmos/tx/v1beta1/simulate", { tx_bytes: simulated(messages, 0) });
  assert.equal(simulation.status, 200, JSON.stringify(simulation));
  const gas = Math.ceil(Number(simulation.gas_info.gas_used) * 1.3);
  assert.match(simulation.gas_info.gas_used, /^[1-9]\d*$/);

  const client = await signer(js, from);
  const signed = await client.sign(from.address, messages, common.fee(gas), "");
  const bytes = Buffer.from(js.tx.TxRaw.encode(signed).finish());
  const tracer = new TendermintTxTracer(rpc, "/websocket", { wsObject: WebSocket });
  const answer = await json("/cosmos/tx/v1beta1/txs", { tx_bytes: bytes.toString("base64"), mode: "BROADCAST_MODE_SYNC" });
  assert.deepEqual([answer.status, answer.tx_response.code, answer.tx_response.raw_log], [200, 0, ""]);
  const traced = await tracer.traceTx(Buffer.from(answer.tx_response.txhash, "hex"));
  tracer.close();
  assert.equal(traced.code ?? 0, 0);
  assert.equal((await client.getTx(answer.tx_response.txhash)).code, 0);
});

test("K03", "a refusal arrives with status 200, its code and its text", async () => {
  const from = account();
  const client = await signer(js, from);
  const { accountNumber } = await client.getSequence(from.address);
  const data = common.signerData(accountNumber, 5);
  const signed = await client.sign(from.address, [send(from.address, from.address, 1)], common.fee(200_000), "", data);
  const bytes = Buffer.from(js.tx.TxRaw.encode(signed).finish()).toString("base64");
  const answer = await json("/cosmos/tx/v1beta1/txs", { tx_bytes: bytes, mode: "BROADCAST_MODE_ASYNC" });
  assert.deepEqual([answer.status, answer.tx_response.code], [200, 0]);
  const refused = await json("/cosmos/tx/v1beta1/txs", { tx_bytes: bytes, mode: "BROADCAST_MODE_SYNC" });
  assert.equal(refused.status, 200);
  assert.deepEqual([refused.tx_response.code, refused.tx_response.codespace], [32, "sdk"]);
  assert.match(refused.tx_response.raw_log, /account sequence mismatch, expected 0, got 5/);
  for (const mode of ["BROADCAST_MODE_BLOCK", "BROADCAST_MODE_UNSPECIFIED"]) {
    const wrong = await json("/cosmos/tx/v1beta1/txs", { tx_bytes: bytes, mode });
    assert(wrong.status >= 400 && /unsupported return type .*supported types: sync, async/.test(wrong.message), wrong.message);
  }
});

await run("Keplr libraries 0.13.16");
