/** Where the records of a log of LevelDB end: each is one batch, in parts where it crosses a block. */
export function recordEnds(log: Buffer): number[] {
  const ends: number[] = []
  for (let at = 0; at + headerLength <= log.length; ) {
    const left = blockLength - (at % blockLength)
    if (left < headerLength) at += left
    const [length, type] = [log.readUInt16LE(at + 4), log.readUInt8(at + 6)]
    at += headerLength + length
    if (type === whole || type === lastPart) ends.push(at)
  }
  return ends
}

const blockLength = 32_768
/** Checksum, length and type. */
const headerLength = 7
const whole = 1
const lastPart = 4
