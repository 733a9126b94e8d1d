import { relative } from 'node:path'
import { quoted } from './text.ts'

/** What a person types to call this program as it was called now. */
export function commandOf(script: string, cwd: string, env: Readonly<Record<string, string | undefined>>): string {
  const given = env['AETHERIS_COMMAND']
  if (given !== undefined) return given
  if (/[\\/]node_modules[\\/]/.test(script)) return 'npx aetheris'
  return /\.[cm]?[jt]s$/.test(script) ? `node ${quoted(relative(cwd, script))}` : 'aetheris'
}
