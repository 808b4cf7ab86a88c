// A version of CosmJS with the packages it was published with, and what its tests share.
import { createRequire } from "node:module";
import { chainId, pollMs, rpc } from "./suite.mjs";

const here = createRequire(import.meta.url);
const PACKAGES = { "0.32.4": "stargate-0.32", "0.39.0": "@cosmjs/stargate" };

/** The packages of a version: those that its @cosmjs/stargate itself loads. */
export function load(version) {
  const path = here.resolve(PACKAGES[version]);
  const inside = createRequire(path);
  const found = here(`${path.replace(/build\/index\.js$/, "")}package.json`).version;
  if (found !== version) throw new Error(`@cosmjs/stargate ${found} is installed, not ${version}`);
  return {
    stargate: inside(path),
    amino: inside("@cosmjs/amino"),
    signing: inside("@cosmjs/proto-signing"),
    tendermint: inside("@cosmjs/tendermint-rpc"),
    encoding: inside("@cosmjs/encoding"),
    crypto: createRequire(inside.resolve("@cosmjs/amino"))("@cosmjs/crypto"),
    tx: inside("cosmjs-types/cosmos/tx/v1beta1/tx"),
    abci: inside("cosmjs-types/cosmos/base/abci/v1beta1/abci"),
    binary: inside("cosmjs-types/binary"),
  };
}

export const coins = (amount) => [{ denom: "boot", amount: String(amount) }];
export const fee = (gas, amount = 0) => ({ amount: amount ? coins(amount) : [], gas: String(gas) });

/** A wallet of an account: signs directly, or amino JSON. */
export async function wallet(js, { mnemonic }, mode = "direct") {
  const options = { prefix: "bostrom" };
  return mode === "amino"
    ? js.amino.Secp256k1HdWallet.fromMnemonic(mnemonic, options)
    : js.signing.DirectSecp256k1HdWallet.fromMnemonic(mnemonic, options);
}

/** A client that signs for an account. */
export async function signer(js, account, mode = "direct", options = {}) {
  return js.stargate.SigningStargateClient.connectWithSigner(rpc, await wallet(js, account, mode), {
    gasPrice: js.stargate.GasPrice.fromString("0.01boot"),
    broadcastPollIntervalMs: pollMs,
    ...options,
  });
}

/** An address that nothing was ever sent to, with its key. */
export async function stranger(js) {
  const made = await js.signing.DirectSecp256k1HdWallet.generate(12, { prefix: "bostrom" });
  const [{ address }] = await made.getAccounts();
  return { address, mnemonic: made.mnemonic };
}

export const send = (from, to, amount) => ({
  typeUrl: "/cosmos.bank.v1beta1.MsgSend",
  value: { fromAddress: from, toAddress: to, amount: coins(amount) },
});

/** Signer data given by hand: no question to the node. */
export const signerData = (accountNumber, sequence, id = chainId) => ({
  accountNumber,
  sequence,
  chainId: id,
});

/** A codec for MsgCyberlink by its field numbers, as an application of CosmJS registers it. */
export function cyberlinkType(js) {
  const { BinaryWriter } = js.binary;
  return {
    typeUrl: "/cyber.graph.v1beta1.MsgCyberlink",
    encode({ neuron, links, skipExisting }, writer = BinaryWriter.create()) {
      writer.uint32(10).string(neuron);
      for (const { from, to } of links) {
        writer.uint32(18).fork();
        writer.uint32(10).string(from);
        writer.uint32(18).string(to);
        writer.ldelim();
      }
      if (skipExisting) writer.uint32(24).bool(true);
      return writer;
    },
    decode: () => { throw new Error("only sent"); },
    fromPartial: (value) => value,
  };
}

/** Amino JSON of MsgCyberlink, under the name that go-cyber and cyber-js sign. */
export const cyberlinkAmino = {
  "/cyber.graph.v1beta1.MsgCyberlink": {
    aminoType: "cyber/MsgCyberlink",
    toAmino: ({ neuron, links, skipExisting }) =>
      ({ neuron, links, ...(skipExisting ? { skip_existing: true } : {}) }),
    fromAmino: ({ neuron, links, skip_existing: skipExisting }) => ({ neuron, links, skipExisting }),
  },
};

/** Cyberlinks between particles, as one message. */
export const cyberlink = (neuron, links, skipExisting = false) => ({
  typeUrl: "/cyber.graph.v1beta1.MsgCyberlink",
  value: { neuron, links: links.map(([from, to]) => ({ from, to })), skipExisting },
});

/** The options of a client that can link. */
export function linking(js) {
  const registry = new js.signing.Registry(js.stargate.defaultRegistryTypes);
  registry.register("/cyber.graph.v1beta1.MsgCyberlink", cyberlinkType(js));
  const aminoTypes = new js.stargate.AminoTypes({
    ...js.stargate.createDefaultAminoConverters(),
    ...cyberlinkAmino,
  });
  return { registry, aminoTypes };
}
