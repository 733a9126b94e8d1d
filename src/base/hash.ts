import { hash } from 'node:crypto'

// A browser gets hash.browser.ts in place of this file.

export { crc32 } from 'node:zlib'

/** SHA-256 of a text's UTF-8 bytes, as 43 characters of base64url. */
export function sha256(text: string): string {
  return hash('sha256', text, 'base64url')
}
