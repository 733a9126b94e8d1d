import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { testRuntime } from 'aetheris/testing'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { refund } from '../../examples/refund/agent.ts'

const day = 86_400_000
let folder: string
let books: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'refund-'))
  books = join(folder, 'books.txt')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const entries = async () => (await readFile(books, 'utf8')).trimEnd().split('\n')

// #region test
test('nobody answers for three days: others may as well after one, and then it is not made', async () => {
  await using runtime = await testRuntime({ agents: [refund] })
  const job = await runtime.spawn(refund, { order: 'A-7', amount: 250, books })
  await runtime.advance(day - 1)
  await expect(job.approve('pay', { by: 'carla' })).rejects.toMatchObject({ code: 'COMMAND_REFUSED' })
  await runtime.advance(1)
  expect((await job.why())[0]?.owes).toBe('ana or ben or carla')
  await runtime.advance(2 * day)
  expect(job.getSnapshot().matches('pay.failed')).toBe(true)
  expect(await job.result()).toEqual({})
  expect(await entries()).toEqual(['told the customer of A-7: no refund'])
})
// #endregion

test('also where nothing runs meanwhile', async () => {
  const before = await testRuntime({ agents: [refund] })
  await before.spawn(refund, { order: 'A-7', amount: 250, books }, { id: 'job' })
  await before.settle()
  await using after = await before.reopen({ afterMs: 3 * day })
  await after.settle()
  expect(await (await after.job('job')).result()).toEqual({})
  expect(await entries()).toEqual(['told the customer of A-7: no refund'])
})

test('who was asked late may say yes, also to the next process, and it is made once', async () => {
  const before = await testRuntime({ agents: [refund] })
  await before.spawn(refund, { order: 'A-7', amount: 250, books }, { id: 'job' })
  await before.advance(day)
  await using after = await before.reopen()
  const job = await after.job('job')
  await job.approve('pay', { by: 'carla' })
  await job.approve('pay', { by: 'carla' })
  expect(await job.result()).toEqual({ receipt: 'job/pay' })
  expect(await entries()).toEqual(['paid 250 for A-7, agreed by carla', 'told the customer of A-7: refunded'])
})

test('a small one is made by the rules', async () => {
  await using runtime = await testRuntime({ agents: [refund] })
  const job = await runtime.spawn(refund, { order: 'B-1', amount: 100, books })
  expect(await job.result()).toMatchObject({ receipt: expect.any(String) })
  expect((await entries())[0]).toBe('paid 100 for B-1, agreed by the rules')
})
