// Makes cid.json, the vectors of src/types/cid.rs: what another implementation (JavaScript's
// ipfs-unixfs-importer) says about texts, files and spellings. In an empty folder, with Node 20:
//
//   npm install ipfs-unixfs-importer@17.1.1 blockstore-core@7.0.1 multiformats@14.0.5
//   cp …/app/tests/vectors/cid.mjs . && node cid.mjs > …/app/tests/vectors/cid.json
//
// Files are pseudo-random bytes: xorshift32 from 1, the low byte of each state. The importer reads
// them in pieces of a size that divides nothing, so that the chunking is its own.
import { importer } from 'ipfs-unixfs-importer'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import { balanced } from 'ipfs-unixfs-importer/layout'
import { BlackHoleBlockstore } from 'blockstore-core/black-hole'
import { CID } from 'multiformats/cid'
import * as base from 'multiformats/basics'
import { readFileSync } from 'node:fs'

const CHUNK = 262144
const version = name => JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version

function * bytesOf (length) {
  let state = 1
  for (let at = 0; at < length; at += 1000003) {
    const piece = new Uint8Array(Math.min(1000003, length - at))
    for (let i = 0; i < piece.length; i++) {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      piece[i] = state & 0xff
    }
    yield piece
  }
}

async function address (content, chunk = CHUNK, links = 174) {
  const settings = {
    cidVersion: 0,
    rawLeaves: false,
    chunker: fixedSize({ chunkSize: chunk }),
    layout: balanced({ maxChildrenPerNode: links })
  }
  let last
  for await (const entry of importer([{ content }], new BlackHoleBlockstore(), settings)) {
    last = entry.cid
  }
  return last
}

const canonical = text =>
  text.normalize('NFC').replace(/^[\p{White_Space}\uFEFF]+|[\p{White_Space}\uFEFF]+$/gu, '')

const texts = [
  '', 'a', 'dog', 'Dog', 'domestic animal', 'hello world', 'cyber', '  padded\t\r\n', '\n\n',
  'two\nlines', 'caf\u00e9', 'cafe\u0301', '\ufeffmarked\ufeff', '\u00a0no-break\u202f',
  '\u0085next line\u0085', '\u3000\u5bbf\u984c\u2029', 'inner\u00a0space', '\u200bzero width\u200b',
  '\u180evowel separator', '\u212b', '\u1e9b\u0323', '\ud55c\uae00', '\u1112\u1161\u11ab',
  '\u2000\u2001quads\u2001', '\ud83d\udc36', '\u0301accent first', ' \u0301', '\u0958', '\ufb01sh',
  '\u001fcontrol\u001f', '\u000bvertical\u000c', 'A\u030a ring', '\uf900', 'x'.repeat(300000)
]

const files = [0, 1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1, 1000000,
  173 * CHUNK, 174 * CHUNK - 1, 174 * CHUNK, 174 * CHUNK + 1, 175 * CHUNK, 176 * CHUNK + 17]

// Small chunks and narrow nodes: deep trees with few bytes.
const shapes = []
for (const [chunk, links] of [[1, 2], [3, 2], [5, 3], [7, 4]]) {
  for (const chunks of [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 27, 28, 63, 64, 65, 82]) {
    shapes.push([chunks * chunk, chunk, links], [chunks * chunk - 1, chunk, links])
  }
}
for (const chunks of [174 * 174 - 1, 174 * 174, 174 * 174 + 1, 174 * 175]) {
  shapes.push([chunks, 1, 174])
}

const dog = await address([new TextEncoder().encode('dog')])
const spellings = []
const one = CID.createV1(0x70, dog.multihash)
for (const [name, codec] of Object.entries(base.bases)) {
  if (name === 'base256emoji' || name === 'identity') continue
  spellings.push({ base: name, text: one.toString(codec.encoder) })
}
const raw = CID.createV1(0x55, dog.multihash).toString()

const show = async text => text.length < 1000
  ? { text, canonical: canonical(text), cid: (await address([encode(canonical(text))])).toString() }
  : { repeat: text[0], times: text.length, cid: (await address([encode(text)])).toString() }
const encode = text => new TextEncoder().encode(text)

const out = {
  made_with: ['ipfs-unixfs-importer', 'blockstore-core', 'multiformats']
    .map(name => `${name} ${version(name)}`).join(', '),
  unicode: process.versions.unicode,
  texts: [],
  files: [],
  shapes: [],
  spellings_of_dog: spellings,
  raw_of_dog: raw
}
for (const text of texts) out.texts.push(await show(text))
for (const length of files) {
  out.files.push({ length, cid: (await address(bytesOf(length))).toString() })
}
for (const [length, chunk, links] of shapes) {
  if (length === 0) continue
  const cid = (await address(bytesOf(length), chunk, links)).toString()
  out.shapes.push({ length, chunk, links, cid })
}
process.stdout.write(JSON.stringify(out, null, 1) + '\n')
