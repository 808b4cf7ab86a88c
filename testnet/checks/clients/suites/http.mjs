// Plain HTTP (rows R01 to R03): statuses, headers, JSON of the REST layer, transaction search in
// both spellings, and the list of what the explorer ping.pub asks.
import assert from "node:assert/strict";
import { account, chainId, eventually, rest, run, test, unique } from "../lib/suite.mjs";
import * as common from "../lib/cosmjs.mjs";
import { particle } from "../lib/particle.mjs";

const js = common.load("0.39.0");
const { coins, cyberlink, fee, send, signer, stranger } = common;

async function get(path, headers = {}) {
  const answer = await fetch(rest + path, { headers });
  const text = await answer.text();
  let body;
  try { body = JSON.parse(text); } catch { body = text; }
  return { status: answer.status, body, headers: answer.headers };
}

async function ok(path) {
  const { status, body } = await get(path);
  assert.equal(status, 200, `${path}: ${JSON.stringify(body)}`);
  return body;
}

const post = async (path, body, type = "application/json") => {
  const answer = await fetch(rest + path, { method: "POST", headers: { "content-type": type }, body });
  return { status: answer.status, body: await answer.json() };
};

const HEIGHT = "Grpc-Metadata-X-Cosmos-Block-Height";
const ABSENT = { code: 12, message: "Not Implemented", details: [] };

test("R01", "an unknown route is 501 with the body that Keplr expects", async () => {
  for (const path of ["/ibc/apps/transfer/v1/params", "/no/such/route", "/cosmos/gov/v1/proposals"]) {
    const { status, body } = await get(path);
    assert.deepEqual([status, body], [501, ABSENT], path);
  }
});

test("R01", "a bad address is 400, an unknown account 404", async () => {
  const bad = await get("/cosmos/bank/v1beta1/spendable_balances/test");
  assert.deepEqual([bad.status, bad.body.code, bad.body.details], [400, 3, []]);
  const { address } = await stranger(js);
  const unknown = await get(`/cosmos/auth/v1beta1/accounts/${address}`);
  assert.deepEqual([unknown.status, unknown.body],
    [404, { code: 5, message: `account ${address} not found`, details: [] }]);
});

test("R01", "a transaction refused at the door is 200 with its code", async () => {
  const from = account();
  const client = await signer(js, from);
  const signed = await client.sign(from.address, [send(from.address, from.address, 1)], fee(200_000), "m".repeat(257));
  const bytes = Buffer.from(js.tx.TxRaw.encode(signed).finish()).toString("base64");
  const { status, body } = await post("/cosmos/tx/v1beta1/txs", JSON.stringify({ tx_bytes: bytes, mode: "BROADCAST_MODE_SYNC" }));
  assert.equal(status, 200);
  const { code, codespace, raw_log: log } = body.tx_response;
  assert.deepEqual([code, codespace], [12, "sdk"]);
  assert.match(log, /memo too large$/);
});

test("R01", "a height is asked for by one header and told by another", async () => {
  const path = `/cosmos/bank/v1beta1/balances/${account().address}`;
  const now = await get(path);
  const height = Number(now.headers.get(HEIGHT));
  assert(height > 0);
  const before = await get(path, { "x-cosmos-block-height": String(height - 1) });
  assert.deepEqual([before.status, Number(before.headers.get(HEIGHT))], [200, height - 1]);
  const future = await get(path, { "x-cosmos-block-height": "999999999" });
  assert(future.status >= 400 && /height in the future/.test(future.body.message), JSON.stringify(future.body));
  assert.equal((await get(path, { "x-cosmos-block-height": "none" })).status, 400);
});

test("R01", "pages of other origins may ask", async () => {
  const asked = await fetch(`${rest}/cosmos/auth/v1beta1/params`, { headers: { origin: "http://page.example" } });
  assert.equal(asked.headers.get("access-control-allow-origin"), "*");
  assert.match(asked.headers.get("access-control-expose-headers") ?? "", /x-cosmos-block-height/i);
  const asks = { origin: "http://page.example", "access-control-request-method": "POST", "access-control-request-headers": "content-type" };
  const before = await fetch(`${rest}/cosmos/tx/v1beta1/txs`, { method: "OPTIONS", headers: asks });
  assert(before.ok);
  assert.equal(before.headers.get("access-control-allow-origin"), "*");
});

test("R01", "bodies that are no JSON, too long or of unknown fields are refused", async () => {
  const path = "/cosmos/tx/v1beta1/simulate";
  for (const body of ["{", "[]", "{\"no_such_field\":1}", "{\"tx_bytes\":\"***\"}"]) {
    const { status, body: said } = await post(path, body);
    assert.deepEqual([status, said.code], [400, 3], `${body}: ${JSON.stringify(said)}`);
  }
  const long = await fetch(rest + path, { method: "POST", body: `{"tx_bytes":"${"A".repeat(10_000_000)}"}` });
  assert([400, 413].includes(long.status), `${long.status}`);
});

/** A transfer and two links of one account, in blocks. */
async function story() {
  const [from, to] = [account(), account()];
  const client = await signer(js, from, "direct", common.linking(js));
  const sent = await client.sendTokens(from.address, to.address, coins(3), "auto");
  const [a, b, c] = ["one", "two", "three"].map((word) => particle(unique(word)));
  const linked = await client.signAndBroadcast(from.address, [cyberlink(from.address, [[a, b], [a, c]])], fee(200_000));
  assert.deepEqual([sent.code, linked.code], [0, 0]);
  return { from, to, sent, linked, a, b, c };
}

const hashes = (body) => body.tx_responses.map(({ txhash }) => txhash);

test("R02", "transactions are searched in the old spelling and in the new one", async () => {
  const { from, to, sent, linked, a } = await story();
  const find = async (query) => hashes(await ok(`/cosmos/tx/v1beta1/txs?${query}`));
  const is = (key, value) => encodeURIComponent(`${key}='${value}'`);
  const [cyb, mine] = [is("cyberlink.particleFrom", a), is("cyberlink.neuron", from.address)];
  const sender = is("message.sender", from.address);
  const both = [linked.transactionHash, sent.transactionHash];
  // cyb.ai's own queries.
  assert.deepEqual(await find(`pagination.offset=0&pagination.limit=5&orderBy=ORDER_BY_DESC&events=${cyb}`), [both[0]]);
  assert.deepEqual(await find(`events=${cyb}&events=${mine}`), [both[0]]);
  assert.deepEqual(await find(`events=${is("cyberlink.particleTo", a)}`), []);
  assert.deepEqual(await find(`query=${cyb}%20AND%20${mine}&page=1&limit=5`), [both[0]]);
  // Orders and pages.
  assert.deepEqual(await find(`events=${sender}&orderBy=ORDER_BY_DESC`), both);
  assert.deepEqual(await find(`query=${sender}&order_by=ORDER_BY_ASC`), both.toReversed());
  assert.deepEqual(await find(`query=${sender}&order_by=ORDER_BY_ASC&page=2&limit=1`), [both[0]]);
  assert.deepEqual(await find(`events=${sender}&order_by=ORDER_BY_ASC&pagination.offset=1&pagination.limit=1`), [both[0]]);
  assert.deepEqual(await find(`events=${sender}&page=9&limit=10`), []);
  // Conditions that only CometBFT's index has.
  assert.deepEqual(await find(`events=${is("transfer.recipient", to.address)}`), [sent.transactionHash]);
  const whole = await ok(`/cosmos/tx/v1beta1/txs?events=${sender}`);
  assert.deepEqual([whole.pagination, whole.total, whole.txs.length], [null, "2", 2]);
  const links = whole.tx_responses.flatMap(({ tx }) => tx.body.messages.flatMap((one) => one.links ?? []));
  assert.equal(links[0].from, a);
  assert.equal((await get("/cosmos/tx/v1beta1/txs?events=nonsense")).status, 400);
  assert.equal((await get("/cosmos/tx/v1beta1/txs")).status, 400);
});

test("R02", "one transaction by its hash, and all of a block", async () => {
  const { linked, a, b } = await story();
  const { tx, tx_response: response } = await ok(`/cosmos/tx/v1beta1/txs/${linked.transactionHash}`);
  assert.equal(tx.body.messages[0]["@type"], "/cyber.graph.v1beta1.MsgCyberlink");
  assert.deepEqual(tx.body.messages[0].links[0], { from: a, to: b });
  assert.deepEqual([response.height, response.code, response.txhash], [String(linked.height), 0, linked.transactionHash]);
  assert.equal(response.logs[0].events.find(({ type }) => type === "cyberlink").attributes[0].value, a);
  assert.match(response.data, /^[0-9A-F]+$/);
  assert.equal(response.tx["@type"], "/cosmos.tx.v1beta1.Tx");
  assert.match(response.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
  const none = "AB".repeat(32);
  const missing = await get(`/cosmos/tx/v1beta1/txs/${none}`);
  assert.deepEqual([missing.status, missing.body], [404, { code: 5, message: `tx not found: ${none}`, details: [] }]);
  const block = await ok(`/cosmos/tx/v1beta1/txs/block/${linked.height}`);
  assert(block.txs.some(({ body }) => body.messages[0].links?.[0].from === a));
  assert.equal(block.block.header.height, String(linked.height));
});

test("R03", "ping.pub's home and block pages", async () => {
  const info = await ok("/cosmos/base/tendermint/v1beta1/node_info");
  assert.equal(info.default_node_info.network, chainId);
  assert.deepEqual([info.application_version.app_name, info.application_version.cosmos_sdk_version], ["cyberd", "v0.47.12"]);
  const latest = await ok("/cosmos/base/tendermint/v1beta1/blocks/latest");
  const { height, chain_id: id } = latest.block.header;
  assert.deepEqual([id, Buffer.from(latest.block_id.hash, "base64").length, Array.isArray(latest.block.data.txs)], [chainId, 32, true]);
  const one = await ok(`/cosmos/base/tendermint/v1beta1/blocks/${height}`);
  assert.deepEqual(one.block_id, latest.block_id);
  assert.match(one.sdk_block.header.proposer_address, /^bostromvalcons1/);
  for (const at of ["latest", height]) {
    const { validators } = await ok(`/cosmos/base/tendermint/v1beta1/validatorsets/${at}`);
    assert.deepEqual([validators.length, validators[0].voting_power], [1, "10"]);
    assert.equal(validators[0].pub_key["@type"], "/cosmos.crypto.ed25519.PubKey");
  }
  const path = "/cosmos/base/tendermint/v1beta1/abci_query?path=/cyber.graph.v1beta1.Query/GraphStats";
  assert.equal((await ok(path)).code, 0);
  assert.equal((await ok("/cosmos/base/tendermint/v1beta1/syncing")).syncing, false);
});

test("R03", "ping.pub's transaction and account pages", async () => {
  const { from, sent } = await story();
  const balance = (await ok(`/cosmos/bank/v1beta1/balances/${from.address}`)).balances;
  assert.equal(balance[0].denom, "boot");
  const { account: known } = await ok(`/cosmos/auth/v1beta1/accounts/${from.address}`);
  assert.deepEqual([known["@type"], known.sequence, known.pub_key["@type"]],
    ["/cosmos.auth.v1beta1.BaseAccount", "2", "/cosmos.crypto.secp256k1.PubKey"]);
  assert.equal((await ok("/cosmos/auth/v1beta1/accounts?pagination.limit=3")).accounts.length, 3);
  assert.equal((await ok(`/cosmos/tx/v1beta1/txs/${sent.transactionHash}`)).tx_response.code, 0);
  assert((await ok(`/cosmos/tx/v1beta1/txs/block/${sent.height}`)).txs.length >= 1);
  const txs = await ok(`/cosmos/tx/v1beta1/txs?order_by=2&events=message.sender='${from.address}'`);
  assert.equal(txs.tx_responses.length, 2);
});

test("R03", "ping.pub's parameter and supply pages", async () => {
  const { params } = await ok("/cosmos/auth/v1beta1/params");
  assert.deepEqual(params, {
    max_memo_characters: "256", tx_sig_limit: "7", tx_size_cost_per_byte: "10",
    sig_verify_cost_ed25519: "590", sig_verify_cost_secp256k1: "1000",
  });
  assert.deepEqual((await ok("/cosmos/bank/v1beta1/params")).params, { send_enabled: [], default_send_enabled: true });
  const { supply, pagination } = await ok("/cosmos/bank/v1beta1/supply");
  assert.deepEqual([supply[0].denom, pagination.next_key], ["boot", null]);
  assert.deepEqual((await ok("/cosmos/bank/v1beta1/supply/by_denom?denom=boot")).amount, supply[0]);
  const { metadatas } = await ok("/cosmos/bank/v1beta1/denoms_metadata");
  assert.deepEqual([metadatas[0].base, metadatas[0].denom_units[0].exponent], ["boot", 0]);
  assert.match((await ok("/cosmos/base/node/v1beta1/config")).minimum_gas_price, /^0(\.0+)?boot$/);
});

test("R03", "ping.pub's pages of absent modules are told that they are absent", async () => {
  const { address } = account();
  const absent = [
    "/cosmos/params/v1beta1/params?subspace=baseapp&key=BlockParams",
    "/cosmos/distribution/v1beta1/community_pool",
    "/cosmos/slashing/v1beta1/params", "/cosmos/slashing/v1beta1/signing_infos",
    "/cosmos/gov/v1beta1/params/voting", "/cosmos/gov/v1beta1/proposals", "/cosmos/gov/v1beta1/proposals/1",
    "/cosmos/mint/v1beta1/inflation", "/cosmos/mint/v1beta1/params", "/cosmos/mint/v1beta1/annual_provisions",
    "/ibc/core/channel/v1/channels", "/ibc/apps/transfer/v1/denom_traces", "/cosmos/group/v1/groups",
    `/cosmos/authz/v1beta1/grants/granter/${address}`, `/cosmos/feegrant/v1beta1/allowances/${address}`,
  ];
  for (const path of absent) {
    const { status, body } = await get(path);
    assert.deepEqual([status, body], [501, ABSENT], path);
  }
});

test("R03", "ping.pub's staking pages show the validators and nothing staked", async () => {
  const { address } = account();
  const { validators } = await ok("/cosmos/staking/v1beta1/validators?pagination.limit=300&status=BOND_STATUS_BONDED");
  assert.equal(validators.length, 1);
  assert.match(validators[0].operator_address, /^bostromvaloper1/);
  const { pool } = await ok("/cosmos/staking/v1beta1/pool");
  assert.deepEqual([pool.bonded_tokens, pool.not_bonded_tokens], ["0", "0"]);
  assert.deepEqual((await ok(`/cosmos/staking/v1beta1/delegations/${address}`)).delegation_responses, []);
  assert.deepEqual((await ok(`/cosmos/staking/v1beta1/delegators/${address}/unbonding_delegations`)).unbonding_responses, []);
  const rewards = await ok(`/cosmos/distribution/v1beta1/delegators/${address}/rewards`);
  assert.deepEqual([rewards.rewards, rewards.total], [[], []]);
});

test("R03", "the pages go on while blocks come", async () => {
  const height = async () => Number((await ok("/cosmos/base/tendermint/v1beta1/blocks/latest")).block.header.height);
  const first = await height();
  await eventually("three more blocks", async () => (await height()) >= first + 3);
});

await run("plain HTTP");
