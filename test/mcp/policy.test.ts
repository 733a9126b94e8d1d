import { describe, expect, test } from 'vitest'
import type { EffectClass } from '../../src/event/event.ts'
import { classOf, type EffectPolicy, needsApproval, type ToolHints, toolName } from '../../src/mcp/policy.ts'

/** The table of docs/mcp.md, from what a server says to what is done. */

const nothing: EffectPolicy = { effects: {}, loosen: {}, approval: 'destructive' }
const table: [ToolHints, EffectClass, boolean][] = [
  [{}, 'once', true],
  [{ readOnlyHint: true }, 'read', false],
  [{ readOnlyHint: true, destructiveHint: true }, 'read', false],
  [{ idempotentHint: true }, 'idempotent', false],
  [{ readOnlyHint: false, idempotentHint: true, destructiveHint: true }, 'idempotent', false],
  [{ destructiveHint: true }, 'once', true],
  [{ destructiveHint: false }, 'once', false],
  [{ idempotentHint: false, destructiveHint: false, openWorldHint: true }, 'once', false],
]

describe('what a server hints', () => {
  test.each(table)('%j is %s, and asks first: %s', (hints, effect, asks) => {
    expect(classOf('x', hints, nothing)).toBe(effect)
    expect(needsApproval(effect, hints, 'destructive')).toBe(asks)
  })

  test('may be made stricter silently', () => {
    const effects = { x: 'once' } as const
    expect(classOf('x', { readOnlyHint: true }, { ...nothing, effects })).toBe('once')
    expect(classOf('y', { readOnlyHint: true }, { ...nothing, effects })).toBe('read')
  })

  test('is loosened only where that is what was said', () => {
    const refused = () => classOf('x', {}, { ...nothing, effects: { x: 'read' } })
    expect(refused).toThrow('Tool "x" is to be read, but its server says no more than that it is once.')
    expect(classOf('x', {}, { ...nothing, loosen: { x: 'read' } })).toBe('read')
  })

  test('is not mixed up with what objects inherit', () => {
    expect(classOf('constructor', {}, nothing)).toBe('once')
    expect(classOf('__proto__', {}, nothing)).toBe('once')
  })

  test.each(['always', 'never'] as const)('does not matter to approvals: %s', (approval) => {
    for (const [hints, effect] of table) expect(needsApproval(effect, hints, approval)).toBe(approval === 'always')
  })

  test('asks first for a call that was made stricter, unless it destroys nothing', () => {
    expect(needsApproval('once', { readOnlyHint: true }, 'destructive')).toBe(true)
    expect(needsApproval('once', { readOnlyHint: true, destructiveHint: false }, 'destructive')).toBe(false)
  })
})

describe('the name of a tool', () => {
  test.each([
    ['read_file', 'files_read_file'],
    ['get-sum', 'files_get-sum'],
    ['a.b/c d', 'files_a_b_c_d'],
    ['löschen', 'files_l_schen'],
    ['', 'files_'],
    ['__proto__', 'files___proto__'],
  ])('%j is %s', (own, name) => expect(toolName('files', own)).toBe(name))

  test('is one that models may call, and another for another long name', () => {
    const long = 'x'.repeat(200)
    const names = [toolName('files', `${long}1`), toolName('files', `${long}2`)]
    for (const name of names) expect(name).toMatch(/^files_x+_[\w-]{8}$/)
    for (const name of names) expect(name).toHaveLength(64)
    expect(new Set(names).size).toBe(2)
  })
})
