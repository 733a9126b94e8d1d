/**
 * A saga: a flight, a hotel and a car are booked one after the other. There is no car, so what was booked is given back,
 * the latest first. Each booking says how it is undone.
 *
 *     aetheris run examples/trip/agent.ts --id trip
 *     aetheris events trip
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { agent, TerminalError, tool, undo } from 'aetheris'
import { z } from 'zod'

const booking = z.object({
  what: z.string(),
  /** The file that stands for the world outside. */
  world: z.string(),
})

function known(world: string): string {
  return existsSync(world) ? readFileSync(world, 'utf8') : ''
}

/** Adds a line to the world outside, and not a second one for the same call; in one go, as a real service would. */
function once(world: string, line: string, key: string): void {
  if (!known(world).includes(`${key}\n`)) appendFileSync(world, `${line}, by ${key}\n`)
}

const book = tool({
  name: 'book',
  input: booking,
  output: z.null(),
  effect: 'idempotent', // made twice with the same key, it is as good as made once
  run({ what, world }, { idempotencyKey }) {
    if (what === 'car') throw new TerminalError('There is no car.')
    once(world, `booked the ${what}`, idempotencyKey)
    return null
  },
})

const giveBack = tool({
  name: 'give-back',
  input: booking,
  output: z.null(),
  effect: 'idempotent',
  run({ what, world }, { idempotencyKey }) {
    // Also asked for what only may have been booked, by a process that died before it could tell.
    if (known(world).includes(`booked the ${what}, `)) once(world, `gave back the ${what}`, idempotencyKey)
    return null
  },
})

export const trip = agent({
  name: 'trip',
  input: z.object({ world: z.string().default('bookings.txt') }),
  output: z.null(),
  tools: [book, giveBack],
  // #region plan
  plan(graph, { world }) {
    const flight = { what: 'flight', world }
    const hotel = { what: 'hotel', world }
    const car = { what: 'car', world }
    const one = graph.call('flight', book, flight, { compensate: () => undo(giveBack, flight) })
    const two = graph.call('hotel', book, hotel, { after: [one], compensate: () => undo(giveBack, hotel) })
    graph.call('car', book, car, { after: [two], compensate: () => undo(giveBack, car) })
    return null
  },
  // #endregion
})
