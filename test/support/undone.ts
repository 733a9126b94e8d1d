import { expect } from 'vitest'
import type { ErrorData } from '../../src/base/error.ts'
import type { JobEvent } from '../../src/event/event.ts'
import type { Sample } from './plans.ts'
import type { Outcome } from './plans-run.ts'

/** Holds what a job has undone against what it had done, in its history and in the world. */

const undoing = 'job.undo/'

/** The node that an effect is a part of. */
function rootOf(effect: string): string {
  return effect.split('/')[0] as string
}

/** Compensated effects that completed, or may have, in the order in which their nodes settled. */
function done(events: readonly JobEvent[], sample: readonly Sample[]): string[] {
  const isDeclared = (effect: string) => sample.some((node) => node.id === rootOf(effect) && compensates(node))
  // What was started as a job of its own, and has failed, has undone itself.
  const isChild = (effect: string) => sample.some((node) => node.id === rootOf(effect) && node.kind === 'spawn')
  const settled = new Map<string, number>()
  const ended = new Map<string, number>()
  const unknown = new Set<string>()
  const changing = new Set<string>()
  const underWay = new Set<string>()
  for (const { type, data, seq } of events) {
    if (type === 'node.started' || type === 'node.attempted') underWay.add(data.effect)
    if (type === 'node.started' && data.class !== 'read' && !isChild(data.effect)) changing.add(data.effect)
    if (type === 'node.outcome_unknown') unknown.add(data.effect)
    // Only of a call that is no `once` call: the attempt before had lost its process.
    if (type === 'node.attempted' && data.cause === 'recovery' && changing.has(data.effect)) unknown.add(data.effect)
    if (type === 'node.retried' || type === 'node.failed') {
      const isLate = underWay.delete(data.effect) && changing.has(data.effect) && isOpen(data.error)
      if (isLate) unknown.add(data.effect)
    }
    if (type === 'node.resolved' || type === 'node.reconciled') unknown.delete(data.effect)
    if (type !== 'node.completed' && type !== 'node.failed' && type !== 'node.cancelled') continue
    settled.set(rootOf(data.effect), seq)
    const mayHave = type === 'node.completed' || unknown.has(data.effect)
    if (mayHave && isDeclared(data.effect)) ended.set(data.effect, seq)
  }
  const at = (effect: string) => [settled.get(rootOf(effect)) ?? 0, ended.get(effect) ?? 0] as const
  return [...ended.keys()].sort((a, b) => at(a)[0] - at(b)[0] || at(a)[1] - at(b)[1])
}

/** Too slow, or of no use: what the call was to do may be done. */
function isOpen({ code, name }: ErrorData): boolean {
  return code === 'TOOL_TIMEOUT' || code === 'OUTPUT_INVALID' || name === 'OutcomeUnknownError'
}

function compensates(node: Sample): boolean {
  return 'compensate' in node && node.compensate
}

/**
 * A job that has ended otherwise than well has undone, exactly once each and latest first, what had completed or may
 * have, and nothing else; and in the world nothing is left.
 */
export function checkUndone({ job, events, world }: Outcome, sample: readonly Sample[]): void {
  const { value } = job.getSnapshot()
  const completed = events.flatMap(({ type, data }) => (type === 'node.completed' ? [data.effect] : []))
  const undone = completed.filter((effect) => effect.startsWith(undoing))
  if (value === 'completed') return expect(undone).toEqual([])
  expect(['failed', 'cancelled']).toContain(value)
  const wanted = done(events, sample).map((effect) => undoing + effect)
  expect(undone).toEqual(wanted.toReversed())
  const announced = events.flatMap(({ type, data }) => (type === 'compensation.started' ? data.effects : []))
  expect(announced).toEqual(undone)
  checkWorld(world, sample)
}

/** Whatever the history says: what took effect was undone after it, and nothing was done after something was undone. */
function checkWorld({ log }: Outcome['world'], sample: readonly Sample[]): void {
  const own = log.filter(({ job }) => job === 'job')
  const ends = own.filter(({ what }) => what === 'end').map(({ effect }) => effect)
  for (const node of sample.filter(compensates)) {
    if (node.kind === 'spawn') continue
    const effects = new Set(ends.filter((effect) => rootOf(effect) === node.id))
    for (const effect of effects) expect(ends, `${effect} is left`).toContain(undoing + effect)
  }
  const first = own.findIndex(({ effect }) => effect.startsWith(undoing))
  if (first < 0) return
  const after = own.slice(first).filter(({ what }) => what === 'begin')
  expect(after.every(({ effect }) => effect.startsWith(undoing))).toBe(true)
}
