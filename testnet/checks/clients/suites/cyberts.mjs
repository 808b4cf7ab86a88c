// cyber-ts 0.1.3 (row Y09): its LCD client on every path of the cyber modules, and its RPC client.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { account, eventually, rest, rpc, run, test, unique } from "../lib/suite.mjs";
import * as common from "../lib/cosmjs.mjs";
import { particle } from "../lib/particle.mjs";

const here = createRequire(import.meta.url);
const { cyber } = here("@cybercongress/cyber-ts");
assert.equal(here("@cybercongress/cyber-ts/package.json").version, "0.1.3");
const lcd = (await cyber.ClientFactory.createLCDClient({ restEndpoint: rest })).cyber;
const direct = (await cyber.ClientFactory.createRPCQueryClient({ rpcEndpoint: rpc })).cyber;
const js = common.load("0.39.0");

const { address, mnemonic } = account();
const [a, b, c, d] = ["centre", "first", "second", "third"].map((word) => particle(unique(word)));
const client = await common.signer(js, { mnemonic }, "direct", common.linking(js));
const links = [[a, b], [a, c], [d, a]];
const linked = await client.signAndBroadcast(address, [common.cyberlink(address, links)], common.fee(300_000));
assert.equal(linked.code, 0, linked.rawLog);
await eventually("a rank", async () =>
  (await direct.rank.v1beta1.rank({ particle: b }).catch(() => ({ rank: 0n }))).rank > 0n);

const texts = (...values) => values.forEach((value) => assert.match(String(value), /^\d+$/));
const decimals = (...values) => values.forEach((value) => assert.match(value, /^\d+\.\d{18}$/));

test("Y09", "LCD: graph", async () => {
  const stats = await lcd.graph.v1beta1.graphStats();
  texts(stats.cyberlinks, stats.particles);
  assert.deepEqual(Object.keys(stats).map((key) => typeof stats[key]), ["string", "string"]);
});

test("Y09", "LCD: rank", async () => {
  const rank = lcd.rank.v1beta1;
  const { params } = await rank.params();
  assert.equal(params.calculation_period, "5");
  decimals(params.damping_factor, params.tolerance);
  const { rank: of } = await rank.rank({ particle: b });
  texts(of);
  const found = await rank.search({ particle: a });
  assert.deepEqual(found.result.map((one) => one.particle).sort(), [b, c].sort());
  // The only total that is a number.
  assert.deepEqual(found.pagination, { total: 2 });
  assert.deepEqual(found.result.find((one) => one.particle === b), { particle: b, rank: of });
  assert.deepEqual((await rank.backlinks({ particle: a })).result.map((one) => one.particle), [d]);
  // cyber-ts drops page and per_page: the first ten come.
  assert((await rank.top({ pagination: { page: 0, perPage: 3 } })).result.length > 0);
  assert.equal((await rank.isLinkExist({ from: a, to: b, address })).exist, true);
  assert.equal((await rank.isLinkExist({ from: b, to: a, address })).exist, false);
  assert.equal((await rank.isAnyLinkExist({ from: a, to: c })).exist, true);
  texts((await rank.particleNegentropy({ particle: b })).entropy, (await rank.negentropy()).negentropy);
  texts((await rank.karma({ neuron: address })).karma);
});

test("Y09", "LCD: bandwidth", async () => {
  const bandwidth = lcd.bandwidth.v1beta1;
  const { params } = await bandwidth.params();
  decimals(params.base_price, params.base_load, (await bandwidth.load()).load, (await bandwidth.price()).price);
  assert.deepEqual([params.recovery_period, params.max_block_bandwidth], ["100", "40000000"]);
  texts((await bandwidth.totalBandwidth()).total_bandwidth);
  const { neuron_bandwidth: own } = await bandwidth.neuronBandwidth({ neuron: address });
  assert.equal(own.neuron, address);
  texts(own.remained_value, own.last_updated_block, own.max_value);
});

test("Y09", "LCD: errors and absent modules", async () => {
  const status = (code) => (error) => error.response?.status === code || new RegExp(`\\b${code}\\b`).test(String(error));
  await assert.rejects(lcd.rank.v1beta1.search({ particle: particle(unique("unknown")) }), status(500));
  await assert.rejects(lcd.resources.v1beta1.params(), status(501));
  await assert.rejects(lcd.grid.v1beta1.params(), status(501));
  await assert.rejects(lcd.dmn.v1beta1.params(), status(501));
  await assert.rejects(lcd.clock.v1.params(), status(501));
});

test("Y09", "RPC: the same answers over abci_query", async () => {
  const rank = direct.rank.v1beta1;
  const found = await rank.search({ particle: a, pagination: { page: 0, perPage: 10 } });
  assert.deepEqual(found.result.map((one) => one.particle).sort(), [b, c].sort());
  assert.equal(found.pagination.total, 2);
  const second = await rank.search({ particle: a, pagination: { page: 1, perPage: 1 } });
  assert.deepEqual(second.result, found.result.slice(1));
  assert((await rank.top({ pagination: { page: 0, perPage: 5 } })).result.length > 0);
  assert((await direct.graph.v1beta1.graphStats()).cyberlinks >= 3n);
  assert.equal((await direct.bandwidth.v1beta1.price()).price, "0.01");
  assert((await rank.karma({ neuron: address })).karma > 0n);
  await assert.rejects(direct.grid.v1beta1.routes({}), /\(6\): unknown query path/);
});

await run("cyber-ts 0.1.3");
