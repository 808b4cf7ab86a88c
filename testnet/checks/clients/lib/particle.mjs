// The particle of a text: a CIDv0 of one UnixFS block, as `cyberd cid` prints it.
import { createHash } from "node:crypto";

const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

export function particle(text) {
  const content = Buffer.from(text, "utf8");
  const file = Buffer.concat([Buffer.from([8, 2]), field(2, content), Buffer.from([24]), varint(content.length)]);
  const digest = createHash("sha256").update(field(1, file)).digest();
  return base58(Buffer.concat([Buffer.from([0x12, 0x20]), digest]));
}

/** The same content as a CIDv1 of codec dag-pb in base32: what the chain does not take. */
export function particleV1(cid) {
  const letters = "abcdefghijklmnopqrstuvwxyz234567";
  const bytes = Buffer.concat([Buffer.from([1, 0x70]), unbase58(cid)]);
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return `b${bits.match(/.{1,5}/g).map((five) => letters[parseInt(five.padEnd(5, "0"), 2)]).join("")}`;
}

const field = (number, bytes) => Buffer.concat([Buffer.from([number * 8 + 2]), varint(bytes.length), bytes]);

function varint(value) {
  const bytes = [];
  for (; value > 127; value >>= 7) bytes.push((value & 127) | 128);
  return Buffer.from([...bytes, value]);
}

function base58(bytes) {
  let number = BigInt(`0x${bytes.toString("hex")}`);
  let text = "";
  for (; number > 0n; number /= 58n) text = ALPHABET[Number(number % 58n)] + text;
  return text;
}

function unbase58(text) {
  const number = [...text].reduce((sum, letter) => sum * 58n + BigInt(ALPHABET.indexOf(letter)), 0n);
  return Buffer.from(number.toString(16), "hex");
}
