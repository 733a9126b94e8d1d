import { AetherisError } from '../base/error.ts'
import { sha256 } from '../base/hash.ts'
import type { EffectClass } from '../event/event.ts'

/** What is made of a server's word: the effect class of its tools, who has to agree, and what they are called here. */

/** What a server says about the effects of a tool. Claims, which nobody has checked. */
export interface ToolHints {
  readOnlyHint?: boolean
  destructiveHint?: boolean
  idempotentHint?: boolean
  openWorldHint?: boolean
}

/** What the user says about them. Keys are the server's own names of its tools. */
export interface EffectPolicy {
  effects: Readonly<Record<string, EffectClass>>
  loosen: Readonly<Record<string, EffectClass>>
  approval: 'destructive' | 'never' | 'always'
}

const strictness: Record<EffectClass, number> = { read: 0, idempotent: 1, once: 2 }

/** What the hints amount to. What a server does not say counts as the protocol has it: the worst. */
function hintedClass({ readOnlyHint, idempotentHint }: ToolHints): EffectClass {
  if (readOnlyHint === true) return 'read'
  return idempotentHint === true ? 'idempotent' : 'once'
}

/**
 * The effect class of a tool: as hinted, or stricter where `effects` says so, or whatever `loosen` says.
 * @throws AetherisError AGENT_INVALID where `effects` would loosen it.
 */
export function classOf(name: string, hints: ToolHints, { effects, loosen }: EffectPolicy): EffectClass {
  const hinted = hintedClass(hints)
  const [wanted, allowed] = [ownValue(effects, name), ownValue(loosen, name)]
  if (allowed !== undefined) return allowed
  if (wanted === undefined) return hinted
  if (strictness[wanted] >= strictness[hinted]) return wanted
  const message = `Tool "${name}" is to be ${wanted}, but its server says no more than that it is ${hinted}. Where you know better, say so in \`loosen\`.`
  throw new AetherisError('AGENT_INVALID', message)
}

/** Whether somebody has to agree to a call. */
export function needsApproval(effect: EffectClass, hints: ToolHints, approval: EffectPolicy['approval']): boolean {
  if (approval !== 'destructive') return approval === 'always'
  return effect === 'once' && hints.destructiveHint !== false
}

/** What models may call a tool: letters, digits, `_` and `-`, and not longer than this. */
const nameCharactersMax = 64

/** The name of a server's tool in plans and for models. One that is too long ends in a hash of all of it. */
export function toolName(server: string, name: string): string {
  const full = `${server}_${name.replaceAll(/[^A-Za-z0-9_-]/g, '_')}`
  if (full.length <= nameCharactersMax) return full
  const hash = sha256(name).slice(0, 8)
  return `${full.slice(0, nameCharactersMax - hash.length - 1)}_${hash}`
}

/** Not what an object inherits: a tool may be called `constructor`. */
function ownValue<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined
}
