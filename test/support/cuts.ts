import { expect } from 'vitest'
import type { AnyAgent } from '../../src/agent/agent.ts'
import type { JobEvent } from '../../src/event/event.ts'
import { fingerprint } from '../../src/replay/execution.ts'
import { JobSnapshot } from '../../src/replay/job-snapshot.ts'
import { fold, programsFor, throughText } from './plans-follow.ts'

/** Holds a fold that is put away and taken out again at `cut` against one that is not: it is the same, and goes on the same. */
export function checkCut(agent: AnyAgent, events: readonly JobEvent[], cut: number): void {
  const programs = programsFor(agent)
  const whole = fold(programs, events)
  const first = fold(programs, events.slice(0, cut))
  const second = throughText(programs, first, events)
  expect(fingerprint(second), `restored at ${cut}`).toBe(fingerprint(first))
  if (!first.isEnded && first.end === undefined)
    expect(new JobSnapshot('job', second)).toEqual(new JobSnapshot('job', first))
  fold(programs, events.slice(cut), second)
  expect(fingerprint(second), `went on at ${cut}`).toBe(fingerprint(whole))
}
