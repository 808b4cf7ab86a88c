// The particle of a short text (up to 100 bytes), as `cyberd cid` prints it: a CIDv0, which is the
// base58 of the SHA-256 of the text wrapped as a file. Runs in Node.js and in browsers.
const LETTERS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

export async function particle(text) {
  const content = [...new TextEncoder().encode(text)];
  const file = [8, 2, 18, content.length, ...content, 24, content.length];
  const block = new Uint8Array([10, file.length, ...file]);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", block));
  let number = digest.reduce((sum, byte) => sum * 256n + BigInt(byte), 0x1220n);
  let cid = "";
  for (; number > 0n; number /= 58n) cid = LETTERS[Number(number % 58n)] + cid;
  return cid;
}
