import { sha256 as sha256Of } from '@noble/hashes/sha2.js'
import { base64 } from './bytes.browser.ts'

// What hash.ts is in Node. Web Crypto cannot take its place: it answers later, and a step does not wait.

const utf8 = new TextEncoder()

/** SHA-256 of a text's UTF-8 bytes, as 43 characters of base64url. */
export function sha256(text: string): string {
  return base64(sha256Of(utf8.encode(text)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .slice(0, -1)
}

/** The remainders of all bytes, by the polynomial that zlib uses, its lowest bit first. */
const remainders = Uint32Array.from({ length: 256 }, (_, byte) => {
  let left = byte
  for (let bit = 0; bit < 8; bit += 1) left = left & 1 ? (left >>> 1) ^ 0xedb88320 : left >>> 1
  return left
})

/** The CRC-32 of a text's UTF-8 bytes, as zlib has it. */
export function crc32(text: string): number {
  let left = 0xffffffff
  for (const byte of utf8.encode(text)) left = (left >>> 8) ^ (remainders[(left ^ byte) & 0xff] as number)
  return ~left >>> 0
}
