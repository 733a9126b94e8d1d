import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { testRuntime } from 'aetheris/testing'
import { afterAll, expect, test } from 'vitest'
import { review } from '../../examples/review/agent.ts'
import { newDirectory, removeDirectories } from '../support/store-data.ts'

afterAll(removeDirectories)

// #region test
test('a review survives a crash, and after three days it is over', async () => {
  const before = await testRuntime({ agents: [review] })
  await before.spawn(review, { topic: 'tea' }, { id: 'tea' })
  await before.settle()
  await before.crash()

  await using after = await before.reopen()
  const job = await after.job('tea')
  expect(job.getSnapshot().matches('review.waiting')).toBe(true)
  await after.advance(3 * 86_400_000)
  expect(job.getSnapshot().matches('publish.skipped')).toBe(true)
  expect(await job.result()).toEqual({})
})
// #endregion

test('the program runs as it is', async () => {
  const cwd = await newDirectory()
  const program = fileURLToPath(new URL('../../examples/review/program.ts', import.meta.url))
  const tsx = createRequire(import.meta.url).resolve('tsx')
  const { stdout, stderr } = spawnSync(process.execPath, ['--import', tsx, program], { cwd })
  expect(String(stderr)).toBe('')
  const said = [...readFileSync(program, 'utf8').matchAll(/console\.log\(.*\) \/\/ (.*)$/gm)].map((match) => match[1])
  expect(String(stdout).trimEnd().split('\n')).toEqual(said)
  expect(readFileSync(join(cwd, 'pages.txt'), 'utf8')).toBe('All about tea.\n')
})
