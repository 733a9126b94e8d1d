import type { AnyAgent } from '../agent/agent.ts'
import { AetherisError, OutcomeUnknownError, RetryableError, TerminalError } from '../base/error.ts'
import { Chance, type ChanceOptions } from './chance.ts'
import { never } from './mortal-store.ts'
import { familyOf, wrapFamily } from './wrap-agent.ts'

/**
 * How a call goes wrong. `fails`: it may be made again. `failsForGood`: it may not. `hangs`: it never answers. `slow`:
 * it takes 1 to 30 s. `losesAnswer`: it does what it is to do, and nobody hears of it.
 */
export type CallFault = (typeof kinds)[number]

const kinds = ['fails', 'failsForGood', 'hangs', 'slow', 'losesAnswer'] as const

/**
 * The same agents in a world where calls of their tools and planners go wrong, by chance and in virtual time.
 * @param agents with all whose jobs their plans start; the runtime is to be given what comes back.
 * @throws AetherisError INPUT_INVALID where a rate is wrong, or an agent is missing.
 */
export function faulty<const A extends readonly AnyAgent[]>(agents: A, options: ChanceOptions<CallFault>): A {
  const chance = new Chance(kinds, options)
  const missing = [...familyOf(agents).keys()].filter((name) => !agents.some((agent) => agent.name === name))
  if (missing.length > 0) {
    const message = `Plans start jobs of ${missing.join(', ')}: give faulty() these agents too, and the runtime what comes back.`
    throw new AetherisError('INPUT_INVALID', message)
  }
  const wrapped = wrapFamily(agents, async (_, perform) => {
    const fault = chance.draw()
    if (fault === 'fails') throw new RetryableError('It fails, by chance.')
    if (fault === 'failsForGood') throw new TerminalError('It fails for good, by chance.')
    if (fault === 'hangs') return never()
    if (fault === 'slow') await chance.pause()
    const output = await perform()
    if (fault === 'losesAnswer') throw new OutcomeUnknownError('The answer is lost, by chance.')
    return output
  })
  return agents.map(({ name }) => wrapped.get(name)) as unknown as A
}
