// Makes signing_more.json, further vectors of src/tx: what CosmJS signs for cyberlinks, payments
// and multisigs with the accounts of signing.json. In an empty folder, with Node 20:
//
//   npm install @cosmjs/proto-signing@0.32.4 @cosmjs/amino@0.32.4 @cosmjs/stargate@0.32.4 \
//     @cosmjs/crypto@0.32.4 @cosmjs/encoding@0.32.4 protobufjs@7
//   cp …/app/tests/vectors/signing*.* . && node signing_more.mjs > …/app/tests/vectors/signing_more.json
import { createMultisigThresholdPubkey, makeCosmoshubPath, makeSignDoc, pubkeyToAddress,
  Secp256k1HdWallet, serializeSignDoc } from '@cosmjs/amino'
import { Sha256 } from '@cosmjs/crypto'
import { toHex, fromHex } from '@cosmjs/encoding'
import { DirectSecp256k1HdWallet, makeSignBytes, makeSignDoc as makeDirectDoc } from '@cosmjs/proto-signing'
import { AminoTypes, createBankAminoConverters, defaultRegistryTypes, makeMultisignedTxBytes,
  SigningStargateClient } from '@cosmjs/stargate'
import { Registry } from '@cosmjs/proto-signing'
import { TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx.js'
import protobuf from 'protobufjs'
import { readFileSync } from 'node:fs'

const given = JSON.parse(readFileSync('signing.json'))
const { mnemonic, prefix } = given
const chainId = 'bostrom-test-1'
const signerData = { accountNumber: 7, sequence: 3, chainId }
const options = { prefix, hdPaths: [0, 1, 2].map(makeCosmoshubPath) }
const direct = await DirectSecp256k1HdWallet.fromMnemonic(mnemonic, options)
const amino = await Secp256k1HdWallet.fromMnemonic(mnemonic, options)
const accounts = await amino.getAccounts()
const [neuron, other] = accounts.map(account => account.address)

const { root } = protobuf.parse(`syntax = "proto3"; package cyber.graph.v1beta1;
  message Link { string from = 1; string to = 2; }
  message MsgCyberlink { string neuron = 1; repeated Link links = 2; bool skip_existing = 3; }
`, { keepCase: true })
const url = '/cyber.graph.v1beta1.MsgCyberlink'
const registry = new Registry([...defaultRegistryTypes,
  [url, root.lookupType('cyber.graph.v1beta1.MsgCyberlink')]])

const cyberlinkAmino = aminoType => ({
  [url]: {
    aminoType,
    toAmino: ({ neuron, links, skip_existing }) =>
      ({ neuron, links, ...(skip_existing ? { skip_existing } : {}) }),
    fromAmino: value => value
  }
})
const types = name => new AminoTypes({ ...createBankAminoConverters(), ...cyberlinkAmino(name) })

const cids = ['QmWQixYeubM54RFHunos6K6aYYb1EE4XY6pBVDJtTNGr9D',
  'QmQSbpPKGQgGMfgeFeQz9ATNrFJvi4oZ4KxtAJcnKuBwr5',
  'QmPru5U1Ma8XkaFyAPmX9z9PoXuQppmaFnhYVkXryAEJij']
const link = (from, to) => ({ from: cids[from], to: cids[to] })
const cyberlink = (links, more = {}) => ({ typeUrl: url, value: { neuron, links, ...more } })
const send = (from, to, amount) => ({
  typeUrl: '/cosmos.bank.v1beta1.MsgSend',
  value: { fromAddress: from, toAddress: to, amount }
})
const boot = amount => [{ denom: 'boot', amount }]
const free = { amount: [], gas: '200000' }
const paid = { amount: boot('1000'), gas: '200000' }

const vectors = []
const finish = (name, mode, raw, signBytes, more = {}) => {
  const bytes = TxRaw.encode(raw).finish()
  const hash = toHex(new Sha256(bytes).digest()).toUpperCase()
  vectors.push({ name, mode, chain_id: chainId, account_number: 7, sequence: 3, ...more,
    ...(mode === 'direct' ? { sign_bytes_hex: toHex(signBytes) }
      : { sign_bytes_utf8: new TextDecoder().decode(signBytes) }),
    tx_raw_hex: toHex(bytes), tx_hash: hash })
}

async function single (name, mode, messages, fee, memo = '', aminoName = 'cyber/MsgCyberlink') {
  const aminoTypes = types(aminoName)
  const wallet = mode === 'direct' ? direct : amino
  const client = await SigningStargateClient.offline(wallet, { registry, aminoTypes })
  const raw = await client.sign(neuron, messages, fee, memo, signerData)
  const signBytes = mode === 'direct'
    ? makeSignBytes(makeDirectDoc(raw.bodyBytes, raw.authInfoBytes, chainId, 7))
    : serializeSignDoc(makeSignDoc(messages.map(m => aminoTypes.toAmino(m)), fee, chainId, memo, 7, 3))
  finish(name, mode, raw, signBytes)
}

async function multisig (name, threshold, signers, messages, fee) {
  const aminoTypes = types('cyber/MsgCyberlink')
  const keys = accounts.map(({ pubkey }) =>
    ({ type: 'tendermint/PubKeySecp256k1', value: Buffer.from(pubkey).toString('base64') }))
  const key = createMultisigThresholdPubkey(keys, threshold, true)
  const address = pubkeyToAddress(key, prefix)
  const client = await SigningStargateClient.offline(amino, { registry, aminoTypes })
  const signatures = new Map()
  const made = messages(address)
  let bodyBytes
  for (const signer of signers) {
    const raw = await client.sign(accounts[signer].address, made, fee, '', signerData)
    bodyBytes = raw.bodyBytes
    signatures.set(accounts[signer].address, raw.signatures[0])
  }
  const bytes = makeMultisignedTxBytes(key, 3, fee, bodyBytes, signatures)
  const doc = makeSignDoc(made.map(m => aminoTypes.toAmino(m)), fee, chainId, '', 7, 3)
  finish(name, 'amino-multisig', TxRaw.decode(bytes), serializeSignDoc(doc),
    { multisig_address: address })
}

const two = [link(0, 1), link(1, 2)]
const skip = { skip_existing: true }
for (const mode of ['direct', 'amino']) {
  await single(`cyberlink_2_${mode}`, mode, [cyberlink(two)], free)
  await single(`cyberlink_skip_existing_${mode}`, mode, [cyberlink(two, skip)], free)
  await single(`cyberlink_2_messages_${mode}`, mode,
    [cyberlink([link(0, 1)]), cyberlink([link(1, 0)], skip)], free)
  await single(`bank_send_2_coins_zero_fee_${mode}`, mode,
    [send(neuron, other, [{ denom: 'boot', amount: '7' }, { denom: 'hydrogen', amount: '340282366920938463463374607431768211455' }])],
    { amount: boot('0'), gas: '200000' })
  await single(`bank_send_odd_memo_${mode}`, mode, [send(neuron, other, boot('1'))], paid,
    'quote " slash \\ tab \t bell \u0007 back \b feed \f line \n \u2028 <&> é 𝄞 \u007f')
  await single(`bank_send_granter_${mode}`, mode, [send(neuron, other, boot('1'))],
    { ...paid, granter: other, payer: neuron })
}
await single('cyberlink_type_url_amino', 'amino', [cyberlink(two, skip)], free, '', url)
await multisig('multisig_1of3_cyberlink', 1, [1],
  neuron => [{ typeUrl: url, value: { neuron, links: two } }], free)
await multisig('multisig_3of3_bank_send', 3, [0, 1, 2],
  address => [send(address, neuron, boot('55'))], paid)
await multisig('multisig_2of3_too_few', 2, [2], address => [send(address, neuron, boot('55'))], paid)

process.stdout.write(JSON.stringify({ vectors }, null, 1) + '\n')
