import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/** The call of an agent on whose behalf somebody calls tools. */
export interface Caller {
  jobId: string
  effect: string
}

/** Far longer than any token that is made here. */
const charactersMax = 4_096

/** Tokens that say for which call of which job they are, and cannot be made without the secret. */
export class Tokens {
  private readonly audience: string
  private readonly secret: string | Buffer

  /** @param secret default: a random one, so that no token outlives the process. */
  constructor(audience: string, secret: string | Buffer = randomBytes(32)) {
    this.audience = audience
    this.secret = secret
  }

  mint({ jobId, effect }: Caller): string {
    const claim = Buffer.from(JSON.stringify([jobId, effect])).toString('base64url')
    return `${claim}.${this.sign(claim)}`
  }

  /** Whose it is, or undefined where it was not made here. */
  read(token: string): Caller | undefined {
    const [, claim, signature] = /^([\w-]+)\.([\w-]{43})$/.exec(token.slice(0, charactersMax)) ?? []
    if (claim === undefined || signature === undefined) return undefined
    // As text, of which there is one for each signature; of its bytes there would be four.
    if (!timingSafeEqual(Buffer.from(this.sign(claim)), Buffer.from(signature))) return undefined
    const [jobId, effect] = JSON.parse(Buffer.from(claim, 'base64url').toString())
    return { jobId, effect }
  }

  private sign(claim: string): string {
    const signed = JSON.stringify(['aetheris.call', this.audience, claim])
    return createHmac('sha256', this.secret).update(signed).digest('base64url')
  }
}
