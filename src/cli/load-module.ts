import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { AnyAgent } from '../agent/agent.ts'
import { UsageError } from './exit-codes.ts'
import type { Io } from './io.ts'

/** The agents of a user's module. */
export interface LoadedModule {
  /** Absolute; kept in the history as the source of its jobs. */
  path: string
  /** Those that it exports. */
  agents: AnyAgent[]
  /** With those whose jobs they may start. */
  allAgents: AnyAgent[]
}

/**
 * Loads a module, JavaScript or TypeScript as it is, and finds the agents that it exports.
 * @throws UsageError when there is none, or the module cannot be loaded.
 */
export async function loadModule(io: Io, given: string): Promise<LoadedModule> {
  const path = resolve(io.cwd, given)
  checkFile(path)
  const exports = await exportsOf(io, path)
  const agents = agentsIn(exports)
  if (agents.length > 0) return { path, agents, allAgents: [...new Set(agents.flatMap(withStarted))] }
  const names = Object.keys(exports).join(', ') || 'nothing'
  throw new UsageError(`"${path}" exports no agent (it exports: ${names}). Export what agent() or fromMachine() gives.`)
}

/** @throws UsageError */
function checkFile(path: string): void {
  if (!existsSync(path)) throw new UsageError(`There is no module "${path}".`)
  if (statSync(path).isDirectory())
    throw new UsageError(`"${path}" is a directory; name the file in it that exports the agent.`)
  if (/\.[cm]?[jt]sx?$/.test(path)) return
  throw new UsageError(
    `"${path}" is no TypeScript or JavaScript (.ts, .js, .mjs ...); name the file that exports the agent.`,
  )
}

async function exportsOf(io: Io, path: string): Promise<Record<string, unknown>> {
  try {
    return await io.load(path)
  } catch (error) {
    const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    throw new UsageError(`"${path}" could not be loaded: ${why}`, { cause: error })
  }
}

/** Each agent once, however many names it has; those of a CommonJS module are members of its default export. */
function agentsIn(exports: Record<string, unknown>): AnyAgent[] {
  const inner = exports['default']
  const values = [...Object.values(exports), ...(isObject(inner) ? Object.values(inner) : [])]
  return [...new Set(values.filter(isAgent))]
}

function withStarted(agent: AnyAgent): AnyAgent[] {
  return [agent, ...[...agent.agents.values()].flatMap(withStarted)]
}

/** What throws where it is looked at is no agent. */
function isAgent(value: unknown): value is AnyAgent {
  try {
    return isObject(value) && hasShape(value)
  } catch {
    return false
  }
}

/** By its shape: the module may have been given another copy of this package. */
function hasShape(value: Record<string, unknown>): boolean {
  const { name, version, input, output, tools, signals, agents: inner, plan, planner, program } = value
  if (typeof name !== 'string' || typeof version !== 'number') return false
  const hasMaps = [tools, signals, inner].every((map) => isObject(map) && typeof map['get'] === 'function')
  const hasBody = [plan, planner, program].some((body) => body !== undefined)
  return hasMaps && hasBody && isSchema(input) && isSchema(output)
}

function isSchema(value: unknown): boolean {
  return isObject(value) && typeof value['safeParse'] === 'function'
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

/** The agent of this name; else the one that a job is `of`, or the only one. */
export function pickAgent({ path, agents }: LoadedModule, name: string | undefined, of?: string): AnyAgent {
  const [only, second] = agents
  const found = agents.find((agent) => agent.name === (name ?? of))
  if (found !== undefined) return found
  if (name === undefined && only !== undefined && second === undefined) return only
  const names = agents.map((agent) => `  ${agent.name}`).join('\n')
  const what = name === undefined ? 'exports several agents' : `exports no agent "${name}"`
  throw new UsageError(`"${path}" ${what}; choose one with --agent:\n${names}`)
}
