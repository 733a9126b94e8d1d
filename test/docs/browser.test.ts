import { replay } from 'aetheris/replay'
import { beforeAll, describe, expect, test } from 'vitest'
import { cup } from '../../examples/browser/agent.ts'
import type { JobEvent } from '../../src/event/event.ts'
import type { Runtime } from '../../src/index.ts'
import { verifyChain } from '../../src/store/chain.ts'
import { page } from '../support/docs.ts'
import { bundled, newTab } from '../support/tab.ts'

/** What a bundler makes of the package for a browser, and that it runs there. The real page is tried by hand. */

const code = `
  import { openRuntime } from 'aetheris'
  import { levelStore } from 'aetheris/level'
  import { replay } from 'aetheris/replay'
  import { Level } from 'level'
  import { cup, taste } from './examples/browser/agent.ts'
  export { levelStore, replay, cup, taste }
  export const open = () => openRuntime({ store: levelStore(new Level('jobs')), agents: [cup] })
`

interface Page {
  open(): Promise<Runtime>
  levelStore(location: string): unknown
  replay: typeof replay
  cup: typeof cup
}

let script = ''

beforeAll(async () => {
  script = (await bundled(code)).text
})

describe('in a browser', () => {
  test('nothing of Node is loaded by what works there', async () => {
    const names = ['', '/level', '/machines', '/models', '/planners', '/replay']
    const { text, inputs } = await bundled(
      names.map((name, n) => `export * as p${n} from 'aetheris${name}'`).join('\n'),
    )
    expect(inputs.filter((path) => /^node:|^dist\/.*(cli|http|mcp|testing)\//.test(path))).toEqual([])
    expect(text).not.toMatch(/["']node:/)
    const { browser } = JSON.parse(page('package.json')) as { browser: Record<string, string> }
    for (const [inNode, there] of Object.entries(browser)) {
      expect(inputs).toContain(there.slice(2))
      expect(inputs).not.toContain(inNode.slice(2))
    }
  })

  test('a job goes on after a reload, and its history is good in Node', async () => {
    const run = await newTab()
    const load = () => run(`${script}; page`) as Page

    const before = load()
    const first = await before.open()
    const started = await first.spawn(before.cup, { tea: 'green', steepMs: 300 }, { id: 'cup' })
    await started.waitFor((snapshot) => snapshot.matches('steep.sleeping'))
    await first.close()

    const after = load()
    const second = await after.open()
    const job = await second.job('cup')
    await job.waitFor((snapshot) => snapshot.matches('taste.waiting'))
    await job.signal('taste', { good: true })
    expect(await job.result()).toEqual({ celsius: 80, good: true })

    const there = await after.replay(after.cup, job.events())
    expect(there.divergence).toBeUndefined()
    const events: JobEvent[] = []
    for await (const event of job.events()) events.push(JSON.parse(JSON.stringify(event)))
    await second.close()
    expect(events.filter(({ type }) => type === 'node.attempted')).toEqual([])
    expect(verifyChain(events)).toBeUndefined()
    const here = await replay(cup, events)
    expect(here.divergence).toBeUndefined()
    expect(here.snapshot.output).toEqual({ celsius: 80, good: true })
  })

  test('a second tab is told that the database is in use', async () => {
    const run = await newTab()
    const load = () => run(`${script}; page`) as Page
    const first = await load().open()
    await expect(load().open()).rejects.toMatchObject({ code: 'STORE_LOCKED', message: expect.stringContaining('tab') })
    await first.close()
    const second = await load().open()
    await second.close()
  })

  test('a data directory is refused, and what to do instead is said', async () => {
    const { levelStore } = (await newTab())(`${script}; page`) as Page
    expect(() => levelStore('jobs')).toThrow(/no data directories.*Pass a database: levelStore\(new Level\("jobs"\)\)/)
  })
})
