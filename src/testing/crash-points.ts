import { seededRandom } from '../base/random.ts'
import { eventName } from './event-line.ts'
import { type Death, type Life, never, type Write } from './mortal-store.ts'
import type { World } from './world.ts'
import type { Around } from './wrap-agent.ts'

/** The places of a run at which its process may die, in the order in which it comes to them. */
export class CrashPoints {
  /** What each place is, in order. */
  readonly names: string[] = []
  private readonly crashAt: number | undefined

  /** @param crashAt the place, counted from 0, at which the process dies. Default: nowhere. */
  constructor(crashAt?: number) {
    this.crashAt = crashAt
  }

  /** Three places of each write. */
  readonly fate = (write: Write): Death | undefined => {
    const name = nameOf(write)
    const fates = Object.entries(deaths).map(
      ([death, text]) => [death as Death, this.reach(`${name}, ${text}`)] as const,
    )
    return fates.find(([, isFatal]) => isFatal)?.[0]
  }

  /** Three places of each call that `life` makes. */
  around(life: Life, world: World): Around {
    const die = () => {
      life.end()
      return never()
    }
    return async (call, perform, abortSignal) => {
      const name = `call of ${call.tool} for ${call.effect}, attempt ${call.attempt}`
      if (this.reach(`${name}, before it begins`)) return die()
      const result = world.observed(call, perform, abortSignal)
      // What was asked for goes on outside, whether or not anybody waits for it.
      const ended = result.catch(() => {})
      if (this.reach(`${name}, while it is under way`)) return die()
      await ended
      return this.reach(`${name}, when it has ended and nobody was told`) ? die() : result
    }
  }

  private reach(name: string): boolean {
    this.names.push(name)
    return this.names.length - 1 === this.crashAt
  }
}

const deaths: Readonly<Record<Death, string>> = {
  before: 'before it is stored',
  unheard: 'when it is stored and nobody was told',
  after: 'when it is stored and acknowledged',
}

const namedMax = 3

function nameOf(write: Write): string {
  if (write.kind === 'message') {
    const { kind, body } = write.message
    return kind === 'signal' ? `message "signal ${(body as { name: string }).name}"` : `message "${kind}"`
  }
  const names = write.commit.events.map(eventName)
  const more = names.length > namedMax ? ` and ${names.length - namedMax} more` : ''
  return `commit of ${names.slice(0, namedMax).join(', ')}${more}`
}

/** Which of `count` places to try: all, or `max` of them, drawn with `seed`. In order. */
export function chosen(count: number, { max = 1_000, seed = 1 }: { max?: number; seed?: number } = {}): number[] {
  const left = Array.from({ length: count }, (_, index) => index)
  if (count <= max) return left
  const random = seededRandom(seed)
  const drawn: number[] = []
  while (drawn.length < max) drawn.push(...left.splice(Math.floor(random.next() * left.length), 1))
  return drawn.sort((a, b) => a - b)
}
