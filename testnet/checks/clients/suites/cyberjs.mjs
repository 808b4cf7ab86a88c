// cyber-js 0.4.3: the rows Y01 to Y06 and Y08, and its reading of what is staked (C15).
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { account, chainId, eventually, rpc, run, test, unique } from "../lib/suite.mjs";
import { particle, particleV1 } from "../lib/particle.mjs";

const here = createRequire(import.meta.url);
const { CyberClient, SigningCyberClient } = here("@cybercongress/cyber-js");
const inside = createRequire(here.resolve("@cybercongress/cyber-js"));
const { DirectSecp256k1HdWallet } = inside("@cosmjs/proto-signing");
const { Secp256k1HdWallet } = inside("@cosmjs/amino");
assert.equal(here("@cybercongress/cyber-js/package.json").version, "0.4.3");

const reader = await CyberClient.connect(rpc);
const FEE = { amount: [], gas: "300000" };

async function signer({ mnemonic }, wallet = DirectSecp256k1HdWallet) {
  return SigningCyberClient.connectWithSigner(rpc, await wallet.fromMnemonic(mnemonic, { prefix: "bostrom" }));
}

const particles = (...words) => words.map((word) => particle(unique(word)));

/** The transaction once it is in a block; cyber-js itself does not wait for it. */
const included = ({ transactionHash }) =>
  eventually("the transaction in a block", () => reader.getTx(transactionHash));

/** cyber-js gives no events but in the log, as JSON. */
const eventsOf = ({ rawLog }) => JSON.parse(rawLog).flatMap(({ events }) => events);

async function linked(client, ...calls) {
  for (const sent of calls) assert.equal((await included(sent)).code, 0, (await included(sent)).rawLog);
}

const refused = (code, text) => (sent) => {
  assert.equal(sent.code, code, sent.rawLog);
  assert.match(sent.rawLog, text);
};

test("Y01", "graph, rank, search and bandwidth are read", async () => {
  const { address, mnemonic } = account();
  const client = await signer({ mnemonic });
  const [a, b, c, d] = particles("centre", "first", "second", "third");
  await linked(client, await client.motif(address, [{ from: a, to: b }, { from: a, to: c }, { from: d, to: a }], FEE));
  const { rank } = await eventually("a rank", async () => {
    const { rank } = await client.rank(b);
    return BigInt(rank) > 0n && { rank };
  });
  const stats = await client.graphStats();
  assert(BigInt(stats.cyberlinks) >= 3n && BigInt(stats.particles) >= 4n);
  const found = await client.search(a);
  assert.deepEqual(found.result.map(({ particle }) => particle).sort(), [b, c].sort());
  assert.equal(found.pagination.total, 2);
  assert(found.result.some((one) => one.particle === b && BigInt(one.rank) === BigInt(rank)));
  const second = await client.search(a, 1, 1);
  assert.deepEqual(second.result, found.result.slice(1));
  const back = await client.backlinks(a);
  assert.deepEqual(back.result.map(({ particle }) => particle), [d]);
  assert(BigInt((await client.karma(address)).karma) > 0n);
  assert.equal((await client.isLinkExist(a, b, address)).exist, true);
  assert.equal((await client.isLinkExist(b, a, address)).exist, false);
  assert.equal((await client.isAnyLinkExist(a, c)).exist, true);
  await assert.rejects(client.isAnyLinkExist(a, particle(unique("unknown"))), /particle not found/);
  assert.notEqual((await client.negentropy()).negentropy, undefined);
  assert.match((await client.load()).load, /^\d+$/);
  assert.equal((await client.price()).price, "10000000000000000");
  const { neuronBandwidth } = await client.accountBandwidth(address);
  assert.equal(neuronBandwidth.neuron, address);
  const [left, most] = [neuronBandwidth.remainedValue, neuronBandwidth.maxValue].map(BigInt);
  assert(left > 0n && left <= most);
});

test("Y01", "chain id, height, accounts, balances and blocks are read", async () => {
  const { address, balance } = account();
  assert.equal(await reader.getChainId(), chainId);
  const height = await reader.getHeight();
  assert.equal((await reader.getBlock(height)).header.height, height);
  assert.equal((await reader.getAccount(address)).address, address);
  assert.deepEqual(await reader.getBalance(address, "boot"), balance);
  assert.deepEqual(await reader.getAllBalances(address), [balance]);
  assert((await reader.totalSupply()).some(({ denom }) => denom === "boot"));
});

test("Y01", "queries of absent modules are refused as unknown paths", async () => {
  const { address } = account();
  const asked = {
    resourcesParams: [], energyParams: [], routes: [], sourceRoutes: [address], destinationRoutes: [address],
    sourceRoutedEnergy: [address], destinationRoutedEnergy: [address], route: [address, address],
    liquidityParams: [], pools: [], pool: [1], allDenomTraces: [],
  };
  for (const [name, values] of Object.entries(asked)) {
    await assert.rejects(reader[name](...values), /\(6\): unknown query path: unknown request/, name);
  }
});

test("Y02", "a cyberlink with fee \"auto\" costs nothing and is found", async () => {
  const { address, mnemonic, balance } = account();
  const client = await signer({ mnemonic });
  const [a, b] = particles("from", "to");
  const before = await client.graphStats();
  const sent = await client.cyberlink(address, a, b, "auto");
  assert.equal(sent.code, 0, sent.rawLog);
  const found = await included(sent);
  assert.equal(found.code, 0, found.rawLog);
  const values = eventsOf(found).filter(({ type }) => type === "cyberlink")
    .flatMap(({ attributes }) => attributes.map(({ key, value }) => `${key}=${value}`));
  for (const one of [`particleFrom=${a}`, `particleTo=${b}`, `neuron=${address}`]) assert(values.includes(one));
  const after = await client.graphStats();
  assert(BigInt(after.cyberlinks) > BigInt(before.cyberlinks));
  assert(BigInt(after.particles) >= BigInt(before.particles) + 2n);
  await eventually("the link with its rank", async () => {
    const { result } = await client.search(a);
    return result.length === 1 && result[0].particle === b && BigInt(result[0].rank) > 0n;
  });
  assert.deepEqual(await client.getBalance(address, "boot"), balance);
  const by = (key, value) => client.searchTx({ tags: [{ key, value }] });
  for (const all of [await by("cyberlink.particleFrom", a), await by("cyberlink.neuron", address)]) {
    assert.deepEqual(all.map(({ hash }) => hash), [sent.transactionHash]);
  }
});

test("Y02", "an amino signature of a cyberlink verifies", async () => {
  const { address, mnemonic } = account();
  const client = await signer({ mnemonic }, Secp256k1HdWallet);
  const [a, b] = particles("amino from", "amino to");
  await linked(client, await client.cyberlink(address, a, b, "auto", "with <memo> & more"));
});

test("Y03", "a link that is wrong in itself is refused at the door", async () => {
  const { address, mnemonic } = account();
  const client = await signer({ mnemonic });
  const [a, b] = particles("good", "other");
  const link = (from, to) => client.cyberlink(address, from, to, FEE);
  refused(4, /circle|loop|self|same/i)(await link(a, a));
  refused(7, /version/i)(await link(a, particleV1(b)));
  refused(5, /invalid particle/)(await link(a, "Qmnothing"));
  const both = [{ from: a, to: b }, { from: a, to: b }];
  refused(2, /your cyberlink already exists$/)(await client.motif(address, both, FEE));
});

test("Y03", "a link that is there already fails in its block", async () => {
  const { address, mnemonic } = account();
  const client = await signer({ mnemonic });
  const [a, b] = particles("twice", "there");
  await linked(client, await client.cyberlink(address, a, b, FEE));
  const again = await included(await client.cyberlink(address, a, b, FEE));
  refused(2, /^failed to execute message; message index: 0: .*your cyberlink already exists$/)(again);
});

test("Y03", "a neuron without stake, and one with little, cannot link", async () => {
  const { address, mnemonic, balance } = account();
  const client = await signer({ mnemonic });
  const rich = account();
  const little = account();
  await included(await client.sendTokens(address, rich.address, [balance], FEE));
  const [a, b] = particles("poor", "man");
  refused(8, /zero power|stake|power/)(await outcome(await client.cyberlink(address, a, b, FEE)));
  const other = await signer(little);
  const most = { denom: "boot", amount: String(BigInt(little.balance.amount) - 1n) };
  await included(await other.sendTokens(little.address, rich.address, [most], FEE));
  refused(2, /not enough personal bandwidth$/)(await outcome(await other.cyberlink(little.address, a, b, FEE)));
});

/** The refusal at the door, else what became of it in its block. */
const outcome = async (sent) => (sent.code === 0 ? included(sent) : sent);

test("Y03", "cyberlinks do not go together with other messages", async () => {
  const { address, mnemonic } = account();
  const client = await signer({ mnemonic });
  const [from, to] = particles("mixed", "messages");
  const messages = [
    { typeUrl: "/cyber.graph.v1beta1.MsgCyberlink", value: { neuron: address, links: [{ from, to }] } },
    {
      typeUrl: "/cosmos.bank.v1beta1.MsgSend",
      value: { fromAddress: address, toAddress: address, amount: [{ denom: "boot", amount: "1" }] },
    },
  ];
  const sent = await client.signAndBroadcast(address, messages, FEE);
  refused(37, /Support only batch of cyberlinks: feature not supported$/)(sent);
});

test("Y04", "a chain of links is one transaction, all or nothing, an event for each link", async () => {
  const { address, mnemonic } = account();
  const client = await signer({ mnemonic });
  const chain = particles("a", "b", "c", "d");
  const sent = await client.linkchain(address, chain, "auto");
  const made = await included(sent);
  assert.equal(made.code, 0, made.rawLog);
  const each = eventsOf(made).filter(({ type, attributes }) => type === "cyberlink" && attributes.length === 3);
  assert.deepEqual(each.map(({ attributes }) => attributes.map(({ value }) => value)),
    [0, 1, 2].map((at) => [chain[at], chain[at + 1], address]));
  const fresh = particles("e");
  const links = [{ from: chain[0], to: fresh[0] }, { from: chain[0], to: chain[1] }];
  const failed = await included(await client.motif(address, links, FEE));
  refused(2, /already exists$/)(failed);
  await assert.rejects(client.isLinkExist(chain[0], fresh[0], address), /particle not found/);
});

const ABSENT = /(unable to resolve type URL|unknown message|no such message).*: tx parse error$/;

test("Y05", "investmint is a message the chain does not know, direct and amino", async () => {
  const { address, mnemonic } = account();
  for (const wallet of [DirectSecp256k1HdWallet, Secp256k1HdWallet]) {
    const client = await signer({ mnemonic }, wallet);
    const sent = await client.investmint(address, { denom: "hydrogen", amount: "1" }, "millivolt", 86_400, FEE);
    refused(2, ABSENT)(sent);
  }
});

test("Y06", "energy routes are messages the chain does not know", async () => {
  const [{ address, mnemonic }, to] = [account(), account()];
  const client = await signer({ mnemonic });
  const value = { denom: "millivolt", amount: "1" };
  refused(2, ABSENT)(await client.createEnergyRoute(address, to.address, "name", FEE));
  refused(2, ABSENT)(await client.editEnergyRoute(address, to.address, value, FEE));
  refused(2, ABSENT)(await client.editEnergyRouteName(address, to.address, "other", FEE));
  refused(2, ABSENT)(await client.deleteEnergyRoute(address, to.address, FEE));
});

test("Y08", "getCodes ends: contracts are refused, not an endless list", async () => {
  await assert.rejects(reader.getCodes(), /\(6\): unknown query path: unknown request/);
});

test("C15", "nothing is staked, and there is a validator set to show", async () => {
  const { address } = account();
  assert.deepEqual((await reader.delegatorDelegations(address)).delegationResponses, []);
  assert.deepEqual((await reader.delegatorUnbondingDelegations(address)).unbondingResponses, []);
  assert.deepEqual((await reader.delegationTotalRewards(address)).rewards, []);
  const { pool } = await reader.stakingPool();
  assert.deepEqual([pool.bondedTokens, pool.notBondedTokens], ["0", "0"]);
  const { validators } = await reader.validators("BOND_STATUS_BONDED");
  assert.equal(validators.length, 1);
});

await run("cyber-js 0.4.3");
