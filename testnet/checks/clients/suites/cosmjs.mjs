// CosmJS (rows C01 to C16) at the version named on the command line.
import assert from "node:assert/strict";
import { account, chainId, eventually, rpc, run, test, unique } from "../lib/suite.mjs";
import * as common from "../lib/cosmjs.mjs";
import { particle } from "../lib/particle.mjs";

const version = process.argv[2];
const js = common.load(version);
const { coins, cyberlink, fee, send, signer, signerData, stranger } = common;
const { StargateClient } = js.stargate;
const reader = await StargateClient.connect(rpc);

test("C01", "connects, reads chain id and height, and picks the 0.38 dialect", async () => {
  const client = await StargateClient.connect(rpc);
  assert.equal(await client.getChainId(), chainId);
  assert((await client.getHeight()) > 0);
  const comet = await js.tendermint.connectComet(rpc);
  assert(comet instanceof js.tendermint.Comet38Client);
  const status = await comet.status();
  assert.match(status.nodeInfo.version, /^0\.38\./);
  client.disconnect();
});

test("C02", "a known account has its number and sequence", async () => {
  const [a, b] = [account(), account()];
  const [first, second] = [await reader.getSequence(a.address), await reader.getSequence(b.address)];
  assert.equal(first.sequence, 0);
  assert.notEqual(first.accountNumber, second.accountNumber);
  assert.equal((await reader.getAccount(a.address)).address, a.address);
});

test("C03", "an unknown account is null", async () => {
  assert.equal(await reader.getAccount((await stranger(js)).address), null);
});

test("C04", "balances of a denomination, of one there is none of, and of all", async () => {
  const { address, balance } = account();
  assert.deepEqual(await reader.getBalance(address, "boot"), balance);
  assert.deepEqual(await reader.getBalance(address, "none"), { denom: "none", amount: "0" });
  assert.deepEqual(await reader.getAllBalances(address), [balance]);
  assert.deepEqual(await reader.getAllBalances((await stranger(js)).address), []);
});

test("C05", "a bad address is an invalid argument", async () => {
  for (const bad of ["bostrom1bad", "cosmos1phaxpevm5wecex2jyaqty2a4v02qj7qmnkrfdg"]) {
    await assert.rejects(reader.getBalance(bad, "boot"), /\(18\).*rpc error: code = InvalidArgument/);
  }
});

test("C06", "a transfer with 1.4 times its simulated gas never runs out", async () => {
  const from = account();
  const client = await signer(js, from);
  // The first transfer of a key, one to an address that is new, one to an old one, with memos.
  for (const [to, memo] of [[(await stranger(js)).address, ""], [account().address, "m".repeat(256)]]) {
    const messages = [send(from.address, to, 5)];
    const gas = await client.simulate(from.address, messages, memo);
    assert(gas > 0);
    const limit = Math.ceil(gas * 1.4);
    const sent = await client.signAndBroadcast(from.address, messages, fee(limit), memo);
    assert.equal(sent.code, 0, sent.rawLog);
    assert(sent.gasUsed <= BigInt(limit));
  }
});

for (const [price, cost] of [["0boot", false], ["0.01boot", true]]) {
  test("C07", `sendTokens with fee "auto" at ${price} moves the balances`, async () => {
    const [from, to] = [account(), account()];
    const gasPrice = js.stargate.GasPrice.fromString(price);
    const client = await signer(js, from, "direct", { gasPrice });
    const sent = await client.sendTokens(from.address, to.address, coins(1234), "auto", "for tea");
    assert.equal(sent.code, 0, sent.rawLog);
    assert.equal(sent.msgResponses[0].typeUrl, "/cosmos.bank.v1beta1.MsgSendResponse");
    const held = async ({ address }) => BigInt((await client.getBalance(address, "boot")).amount);
    assert.equal(await held(to), BigInt(to.balance.amount) + 1234n);
    const paid = BigInt(from.balance.amount) - (await held(from)) - 1234n;
    const asked = sent.events.find(({ type, attributes }) => type === "tx" && attributes[0].key === "fee");
    assert.equal(asked.attributes[0].value, paid ? `${paid}boot` : "");
    assert.equal(paid > 0n, cost);
    assert.equal((await client.getSequence(from.address)).sequence, 1);
  });
}

test("C08", "amino JSON signatures verify, with a memo that JSON escapes", async () => {
  const [from, to] = [account(), account()];
  const client = await signer(js, from, "amino", common.linking(js));
  const sent = await client.sendTokens(from.address, to.address, coins(1), "auto", "<&>");
  assert.equal(sent.code, 0, sent.rawLog);
  const [a, b] = [particle(unique("amino")), particle(unique("amino"))];
  for (const skip of [false, true]) {
    const messages = [cyberlink(from.address, [[a, b]], skip)];
    const linked = await client.signAndBroadcast(from.address, messages, fee(200_000), "<&>");
    assert.equal(linked.code, 0, linked.rawLog);
  }
});

test("C09", "a 2-of-3 multisig pays with two signatures, not with one", async () => {
  const members = [account(), account(), account()];
  const keys = await Promise.all(members.map(async (one) => {
    const [{ pubkey }] = await (await common.wallet(js, one, "amino")).getAccounts();
    return js.amino.encodeSecp256k1Pubkey(pubkey);
  }));
  const group = js.amino.createMultisigThresholdPubkey(keys, 2);
  const address = js.amino.pubkeyToAddress(group, "bostrom");
  const rich = account();
  const client = await signer(js, rich);
  await client.sendTokens(rich.address, address, coins(1_000_000), "auto");
  const spend = async (signers) => {
    const { accountNumber, sequence } = await client.getSequence(address);
    const paying = fee(300_000, 3000);
    const data = signerData(accountNumber, sequence);
    const messages = [send(address, rich.address, 10)];
    const signatures = new Map();
    let body;
    for (const one of signers) {
      const own = await signer(js, one, "amino");
      const signed = await own.sign(one.address, messages, paying, "together", data);
      signatures.set(one.address, signed.signatures[0]);
      body = signed.bodyBytes;
    }
    return js.stargate.makeMultisignedTxBytes(group, sequence, paying, body, signatures);
  };
  await assert.rejects(client.broadcastTx(await spend(members.slice(1, 2))), { code: 4, codespace: "sdk" });
  const sent = await client.broadcastTx(await spend([members[0], members[2]]));
  assert.equal(sent.code, 0, sent.rawLog);
  const again = await client.broadcastTx(await spend([members[1], members[2]]));
  assert.equal(again.code, 0, again.rawLog);
});

/** A refusal at the door: what is wrong, what the node says. */
const REFUSALS = [
  ["a wrong sequence", { sequence: 7 }, 32, /^account sequence mismatch, expected 0, got 7: incorrect account sequence$/],
  ["a wrong chain id", { id: "other-chain" }, 4,
    /^signature verification failed; please verify account number \(\d+\) and chain-id \(.+\): unauthorized$/],
  ["a fee above the balance", { fee: fee(200_000, 10n ** 30n) }, 5,
    /^spendable balance \d+boot is smaller than 1(0){30}boot: insufficient funds: insufficient funds$/],
  ["a memo of 257 bytes", { memo: "m".repeat(257) }, 12,
    /^maximum number of characters is 256 but received 257 characters: memo too large$/],
  ["a timeout that has passed", { timeout: 1n }, 30, /^block height: \d+, timeout height: 1: tx timeout height$/],
  ["too little gas", { fee: fee(1000) }, 11,
    /^out of gas in location: .+; gasWanted: 1000, gasUsed: \d+: out of gas$/],
  ["no gas", { fee: fee(0) }, 41, /^must provide positive gas: invalid gas limit$/],
];
for (const [what, wrong, code, log] of REFUSALS) {
  test("C10", `${what} is sdk/${code}`, async () => {
    const from = account();
    const client = await signer(js, from);
    const { accountNumber, sequence } = await client.getSequence(from.address);
    const data = signerData(accountNumber, wrong.sequence ?? sequence, wrong.id);
    const paying = wrong.fee ?? fee(200_000);
    const messages = [send(from.address, from.address, 1)];
    const signed = await client.sign(from.address, messages, paying, wrong.memo ?? "", data, wrong.timeout);
    const bytes = js.tx.TxRaw.encode(signed).finish();
    const refused = await client.broadcastTx(bytes).then(() => assert.fail("accepted"), (error) => error);
    assert.deepEqual([refused.code, refused.codespace], [code, "sdk"], String(refused));
    assert.match(refused.log, log);
    assert.match(String(refused.message), new RegExp(`failed with code ${code} \\(codespace: sdk\\)`));
    assert.equal((await client.getSequence(from.address)).sequence, 0);
  });
}

test("C10", "a signer without an account is sdk/9", async () => {
  const from = await stranger(js);
  const client = await signer(js, from);
  const messages = [send(from.address, from.address, 1)];
  const signed = await client.sign(from.address, messages, fee(200_000), "", signerData(0, 0));
  const refused = client.broadcastTx(js.tx.TxRaw.encode(signed).finish());
  await assert.rejects(refused, { code: 9, codespace: "sdk", message: /does not exist: unknown address/ });
});

test("C11", "a message that fails in its block keeps the fee and the sequence", async () => {
  const from = account();
  const client = await signer(js, from);
  const more = BigInt(from.balance.amount) + 1n;
  const messages = [send(from.address, account().address, more)];
  const sent = await client.signAndBroadcast(from.address, messages, fee(200_000, 2000));
  assert.equal(sent.code, 5);
  assert.match(sent.rawLog, /^failed to execute message; message index: 0: .+insufficient funds$/);
  const left = BigInt((await client.getBalance(from.address, "boot")).amount);
  assert.equal(left, BigInt(from.balance.amount) - 2000n);
  assert.equal((await client.getSequence(from.address)).sequence, 1);
  assert(!sent.events.some(({ attributes }) => attributes.some(({ key }) => key === "action")));
  assert(sent.events.some(({ type, attributes }) => type === "tx" && attributes[0].key === "acc_seq"));
});

test("C12", "a transaction is found by hash and by every event clients ask for", async () => {
  const [from, to] = [account(), account()];
  const client = await signer(js, from, "direct", common.linking(js));
  const sent = await client.sendTokens(from.address, to.address, coins(3), "auto");
  const [a, b, c] = ["one", "two", "three"].map((word) => particle(unique(word)));
  const linked = await client.signAndBroadcast(from.address, [cyberlink(from.address, [[a, b], [a, c]])], fee(200_000));
  assert.equal(linked.code, 0, linked.rawLog);

  const got = await client.getTx(linked.transactionHash);
  assert.deepEqual([got.height, got.code, got.hash], [linked.height, 0, linked.transactionHash]);
  const keys = got.events.flatMap(({ attributes }) => attributes.map(({ key }) => key));
  assert(keys.length > 0 && keys.every((key) => key.length > 0));
  const links = got.events.filter(({ type, attributes }) => type === "cyberlink" && attributes.length === 3);
  assert.deepEqual(links.map(({ attributes }) => Object.fromEntries(attributes.map(({ key, value }) => [key, value]))),
    [{ particleFrom: a, particleTo: b, neuron: from.address }, { particleFrom: a, particleTo: c, neuron: from.address }]);
  const [log] = js.stargate.logs.parseRawLog(got.rawLog);
  assert.equal(js.stargate.logs.findAttribute([log], "cyberlink", "particleFrom").value, a);

  const finds = async (query, ...expected) => {
    const found = await client.searchTx(query);
    assert.deepEqual(found.map(({ hash }) => hash), expected.map(({ transactionHash }) => transactionHash), JSON.stringify(query));
  };
  const is = (key, value) => ({ key, value });
  const [sender, recipient] = [is("message.sender", from.address), is("transfer.recipient", to.address)];
  await finds([sender], sent, linked);
  await finds([sender, is("message.action", "/cosmos.bank.v1beta1.MsgSend")], sent);
  await finds([is("message.action", "/cyber.graph.v1beta1.MsgCyberlink"), sender], linked);
  await finds([recipient], sent);
  await finds([recipient, is("tx.height", sent.height)], sent);
  await finds([is("tx.acc_seq", `${from.address}/1`)], linked);
  await finds([is("cyberlink.neuron", from.address)], linked);
  await finds([is("cyberlink.particleFrom", a)], linked);
  await finds([is("cyberlink.particleTo", c)], linked);
  await finds([is("cyberlink.particleFrom", a), is("cyberlink.neuron", from.address)], linked);
  await finds([is("cyberlink.particleFrom", b)]);
  assert((await client.searchTx([is("tx.height", linked.height)])).some(({ hash }) => hash === linked.transactionHash));
  assert.equal(await client.getTx("00".repeat(32)), null);
});

test("C13", "three transactions of one account stand in one block", async () => {
  const from = account();
  const client = await signer(js, from);
  const { accountNumber } = await client.getSequence(from.address);
  let heights = [];
  // A block may end between two of them: then the next three are tried.
  for (let sequence = 0; sequence < 30 && new Set(heights).size !== 1; sequence += 3) {
    const texts = [0, 1, 2].map((more) => signerData(accountNumber, sequence + more));
    const signed = await Promise.all(texts.map((data) =>
      client.sign(from.address, [send(from.address, from.address, 1)], fee(200_000), "", data)));
    const hashes = [];
    for (const one of signed) hashes.push(await client.broadcastTxSync(js.tx.TxRaw.encode(one).finish()));
    const found = await eventually("three transactions", async () => {
      const all = await Promise.all(hashes.map((hash) => client.getTx(hash)));
      return all.every(Boolean) && all;
    });
    assert.deepEqual(found.map(({ code }) => code), [0, 0, 0]);
    heights = found.map(({ height }) => height);
  }
  assert.equal(new Set(heights).size, 1, `heights ${heights}`);
  const auto = await client.signAndBroadcastSync(from.address, [send(from.address, from.address, 1)], fee(200_000));
  await eventually("the transaction of signAndBroadcastSync", () => client.getTx(auto));
});

test("C14", "the same bytes again are in the cache already", async () => {
  const from = account();
  const client = await signer(js, from);
  const signed = await client.sign(from.address, [send(from.address, from.address, 1)], fee(200_000), "");
  const bytes = js.tx.TxRaw.encode(signed).finish();
  await client.broadcastTx(bytes);
  await assert.rejects(client.broadcastTx(bytes), /tx already exists in cache/);
});

test("C15", "nothing is staked, and a delegation that is not there is null", async () => {
  const { address } = account();
  const staked = await reader.getBalanceStaked(address);
  assert(staked === null || staked.amount === "0", JSON.stringify(staked));
  const words = js.encoding.fromBech32(address).data;
  assert.equal(await reader.getDelegation(address, js.encoding.toBech32("bostromvaloper", words)), null);
});

test("C16", "new blocks and transactions arrive over the WebSocket", async () => {
  const socket = await js.tendermint.Comet38Client.connect(rpc.replace("http", "ws"));
  const [heights, hashes, failures] = [[], [], []];
  const listen = (stream, take) => stream.subscribe({ next: take, error: (error) => failures.push(error) });
  const subscriptions = [
    listen(socket.subscribeNewBlock(), ({ header }) => heights.push(header.height)),
    listen(socket.subscribeTx(), ({ hash }) => hashes.push(js.encoding.toHex(hash).toUpperCase())),
  ];
  // The subscription is made by the first blocks; what is sent then must arrive.
  await eventually("two blocks", () => heights.length >= 2);
  const from = account();
  const client = await signer(js, from);
  const sent = await client.sendTokens(from.address, from.address, coins(1), "auto");
  await eventually("the transaction", () => hashes.includes(sent.transactionHash));
  subscriptions.forEach((one) => one.unsubscribe());
  socket.disconnect();
  assert.deepEqual(failures, []);
  assert(heights.every((height, at) => at === 0 || height === heights[at - 1] + 1), `heights ${heights}`);
});

await run(`CosmJS ${version}`);
