import { BrowserLevel } from 'browser-level'
import { MemoryLevel } from 'memory-level'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { lockByName } from '../../src/store/web-lock.ts'
import { stillClock } from '../support/faulty-level.ts'
import { webLocks } from '../support/tab.ts'

/** Who may have the database of a browser open. */

beforeEach(() => {
  vi.stubGlobal('navigator', { locks: webLocks() })
})
afterEach(() => vi.unstubAllGlobals())

const jobs = () => new BrowserLevel('jobs')

test('who comes second is refused after a second, and let in once the first has gone', async () => {
  const clock = stillClock()
  const unlock = await lockByName(jobs(), clock)
  const second = lockByName(jobs(), clock)
  clock.advance(1_000)
  await expect(second).rejects.toMatchObject({ code: 'STORE_LOCKED' })
  unlock()
  await expect(lockByName(jobs(), clock)).resolves.toBeTypeOf('function')
})

test('who comes while the first is going gets it', async () => {
  const clock = stillClock()
  const unlock = await lockByName(jobs(), clock)
  const second = lockByName(jobs(), clock)
  clock.advance(999)
  unlock()
  await second
  expect(clock.waiting).toBe(0)
})

test('databases of other names, and parts of one, do not meet', async () => {
  const one = jobs()
  const others = [
    new BrowserLevel('notes'),
    new BrowserLevel('jobs', { prefix: 'own-' }),
    one.sublevel('a'),
    one.sublevel('b'),
  ]
  for (const db of [one, ...others]) await lockByName(db, stillClock())
  const clock = stillClock()
  const again = lockByName(jobs().sublevel('a'), clock)
  clock.advance(1_000)
  await expect(again).rejects.toMatchObject({ code: 'STORE_LOCKED' })
})

test('nothing is locked in memory, nor where there are no Web Locks', async () => {
  const memory = new MemoryLevel()
  await lockByName(memory, stillClock())
  await lockByName(memory, stillClock())
  vi.stubGlobal('navigator', {})
  await lockByName(jobs(), stillClock())
  await lockByName(jobs(), stillClock())
})
