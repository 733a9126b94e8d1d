import { expect, test } from 'vitest'
import { linesTo } from '../../src/mcp/transport.ts'
import { orAborted, Turns } from '../../src/mcp/waiting.ts'
import { turns as letRun } from '../support/scripted.ts'

const never = new AbortController().signal

/** Work that ends when it is told to. */
function work(log: string[], name: string) {
  let end = () => {}
  const over = new Promise<void>((resolve) => {
    end = resolve
  })
  const body = async () => {
    log.push(`${name} begins`)
    await over
    log.push(`${name} ends`)
  }
  return { body, end }
}

test('turns are taken one after the other', async () => {
  const [turns, log] = [new Turns(), [] as string[]]
  const [a, b] = [work(log, 'a'), work(log, 'b')]
  const both = [turns.inTurn(never, a.body), turns.inTurn(never, b.body)]
  b.end()
  await letRun()
  expect(log).toEqual(['a begins'])
  a.end()
  await Promise.all(both)
  expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends'])
})

test('whoever gives up waiting for a turn is passed over, and nobody overtakes', async () => {
  const [turns, log] = [new Turns(), [] as string[]]
  const [a, b, c] = [work(log, 'a'), work(log, 'b'), work(log, 'c')]
  const abort = new AbortController()
  const first = turns.inTurn(never, a.body)
  const second = turns.inTurn(abort.signal, b.body)
  const third = turns.inTurn(never, c.body)
  abort.abort(new Error('enough'))
  await expect(second).rejects.toThrow('enough')
  expect(log).toEqual(['a begins'])
  a.end()
  c.end()
  await Promise.all([first, third])
  expect(log).toEqual(['a begins', 'a ends', 'c begins', 'c ends'])
})

test('a turn that fails is over', async () => {
  const turns = new Turns()
  await expect(turns.inTurn(never, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await turns.inTurn(never, async () => 'next')).toBe('next')
})

test('an abort that was before ends waiting at once', async () => {
  const waiting = orAborted(new Promise(() => {}), AbortSignal.abort(new Error('before')))
  await expect(waiting).rejects.toThrow('before')
})

test('lines are passed on whole, whatever the pieces, and those without an end in pieces', () => {
  const lines: string[] = []
  const take = linesTo((line) => lines.push(line))
  const bytes = new TextEncoder().encode('grün\r\nblau\nro')
  for (const byte of bytes) take(Uint8Array.of(byte))
  expect(lines).toEqual(['grün', 'blau'])
  take(new TextEncoder().encode('x'.repeat(5_000)))
  expect(lines[2]).toHaveLength(4_096)
})
