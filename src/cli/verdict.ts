import type { Divergence } from '../replay/execution.ts'
import type { Replay } from '../replay/replay.ts'
import { cut, jsonText } from './text.ts'

/** What came of a replay, for scripts. */
export function verdictOf({ divergence }: Replay<unknown>): 'identical' | Divergence {
  return divergence ?? 'identical'
}

/** The same for people. */
export function verdictText({ divergence }: Replay<unknown>): string {
  if (divergence === undefined) return 'replay: identical'
  const { seq, path, recorded, replayed } = divergence
  return `replay: diverged at seq ${seq}, ${path}: recorded ${short(recorded)}, now ${short(replayed)}`
}

function short(value: unknown): string {
  return value === undefined ? 'nothing' : cut(jsonText(value), 200)
}
