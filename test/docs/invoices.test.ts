import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { testRuntime } from 'aetheris/testing'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { invoices } from '../../examples/invoices/agent.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'invoices-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const at = (name: string) => join(folder, name)

test('what can be entered is, once each, and the report tells of the rest', async () => {
  await using runtime = await testRuntime({ agents: [invoices] })
  const job = await runtime.spawn(invoices, { ledger: at('ledger'), report: at('report') })
  const result = await job.result()
  expect(result).toMatchObject({ entered: 4, cents: 142_040 })
  expect(result.refused.map((line) => line.slice(0, 8))).toEqual(['2026-003', '2026-004', '2026-006'])
  const ledger = (await readFile(at('ledger'), 'utf8')).trimEnd().split('\n')
  expect(ledger.map((line) => line.slice(0, 8)).sort()).toEqual(['2026-001', '2026-002', '2026-005', '2026-007'])
})

test('of as many as there are', async () => {
  const rows = Array.from({ length: 500 }, (_, n) => `${n},Ana,${n % 10 === 0 ? 'x' : '1'}`)
  await writeFile(at('many.csv'), `number,customer,amount\n${rows.join('\n')}\n`)
  await using runtime = await testRuntime({ agents: [invoices] })
  const input = { file: at('many.csv'), ledger: at('ledger'), report: at('report') }
  const job = await runtime.spawn(invoices, input)
  const { entered, refused } = await job.result()
  expect([entered, refused.length]).toEqual([450, 50])
})
