import { describe, expect, test } from 'vitest'
import { replay } from '../../src/replay/replay.ts'
import { inDirectory } from '../support/crash-run.ts'
import { killed } from '../support/mcp-killed.ts'
import { research, researching } from '../support/mcp-research.ts'
import { ReferenceServer } from '../support/mcp-servers.ts'
import { dataOf } from '../support/scripted.ts'

/** Calls that a reference server runs as tasks: they are begun once, and asked about until they have ended. */

const report = { content: [{ type: 'text', text: expect.stringContaining('# Research Report: tea') }] }
const quick = { retry: { initialDelayMs: 1 } } as const

async function withEverything(body: (everything: ReferenceServer, directory: string) => Promise<void>): Promise<void> {
  await inDirectory(async (directory) => {
    const everything = new ReferenceServer('everything', directory)
    await body(everything, directory).finally(() => everything.killHttp())
  })
}

function asked(server: ReferenceServer, method: string): number {
  return server.sent.filter((each) => each.method === method).length
}

describe.concurrent('a task', () => {
  test('is in the history, with how far it is, and gives its result', () =>
    withEverything(async (everything, directory) => {
      await researching({ directory, server: everything.options }, async (job) => {
        expect(await job.result()).toMatchObject(report)
        const [begun] = await dataOf(job, 'node.submitted')
        expect(begun).toMatchObject({ effect: 'ask', attempt: 1, task: { taskId: expect.any(String) } })
        const progress = (await dataOf(job, 'node.progressed')).map((each) => each.progress)
        expect(progress).toContainEqual({ status: 'working', message: 'Synthesizing findings...' })
        expect((await replay(job.agent, job.events())).divergence).toBeUndefined()
      })
      expect(everything.calls(research)).toBe(1)
    }))

  test('goes on while our process is killed, and the next one asks about it', () =>
    withEverything(async (everything, directory) => {
      const server = { name: 'web', url: await everything.startHttp() }
      await killed({ directory, server, kill: { point: 'commit of a task: after', nth: 1 } })
      await researching({ directory, server }, async (job) => {
        expect(await job.result()).toMatchObject(report)
        expect(await dataOf(job, 'node.submitted')).toHaveLength(1)
        expect(await dataOf(job, 'node.attempted')).toEqual([{ effect: 'ask', attempt: 2, cause: 'recovery' }])
      })
      expect(everything.calls(research)).toBe(1)
    }))

  test('that was begun, and not written down, is not begun again', () =>
    withEverything(async (everything, directory) => {
      const server = { name: 'web', url: await everything.startHttp() }
      await killed({ directory, server, kill: { point: 'commit of a task: before', nth: 1 } })
      await researching({ directory, server }, async (job) => {
        await job.waitFor(({ pending }) => pending[0]?.status === 'unknown')
      })
      expect(everything.calls(research)).toBe(1)
    }))

  test('of class once that its server has lost is left to a person', () =>
    withEverything(async (everything, directory) => {
      await researching({ directory, server: { ...everything.options, ...quick } }, async (job) => {
        await job.waitFor(({ pending }) => pending[0]?.progress !== undefined)
        process.kill(everything.begun[0] as number, 'SIGKILL')
        await job.waitFor(({ pending }) => pending[0]?.status === 'unknown')
        expect(everything.calls(research)).toBe(1)
        await job.resolve('ask', 'again', { by: 'ana', reason: 'the server has forgotten it' })
        expect(await job.result()).toMatchObject(report)
        expect(everything.calls(research)).toBe(2)
      })
    }))

  test('of another class that its server has lost is begun again', () =>
    withEverything(async (everything, directory) => {
      const server = { ...everything.options, ...quick, loosen: { [research]: 'idempotent' as const } }
      await researching({ directory, server }, async (job) => {
        await job.waitFor(({ pending }) => pending[0]?.progress !== undefined)
        process.kill(everything.begun[0] as number, 'SIGKILL')
        expect(await job.result()).toMatchObject(report)
        expect(await dataOf(job, 'node.submitted')).toHaveLength(2)
        expect(everything.calls(research)).toBe(2)
      })
    }))

  test('is cancelled with its job', () =>
    withEverything(async (everything, directory) => {
      await researching({ directory, server: everything.options }, async (job) => {
        await job.waitFor(({ pending }) => pending[0]?.progress !== undefined)
        await job.cancel()
        const end = await job.waitFor(({ status }) => status !== 'active')
        expect(end.value).toBe('cancelled')
        expect(await dataOf(job, 'node.outcome_unknown')).toEqual([])
      })
      expect(asked(everything, 'tasks/cancel')).toBe(1)
    }))
})
