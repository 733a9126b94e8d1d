import type { ToolOrigin } from '../agent/tool.ts'
import { AetherisError } from '../base/error.ts'
import type { Json } from '../base/json.ts'
import { limits } from '../base/limits.ts'
import { Connection } from './connection.ts'
import type { Definition, Definitions } from './definition.ts'
import { type McpTool, mcpTool } from './mcp-tool.ts'
import { checkOptions, endpointOf, invalid, type McpServerOptions, type Options } from './options.ts'
import { classOf, needsApproval, toolName } from './policy.ts'
import type { Session } from './session.ts'
import { Turns } from './waiting.ts'

/** A server whose tools are tools of agents. Made by {@link mcpServer}. */
export interface McpServer {
  readonly name: string
  readonly tools: readonly McpTool[]
  /** One of them, by the server's own name. @throws AetherisError AGENT_INVALID */
  tool(name: string): McpTool
  /** Ends the connection, and the process of the server where that is ours. Calls under way have no known outcome then. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Starts or reaches an MCP server and takes its tools. What they do to the world is told by the server's hints, which
 * may be made stricter, and looser only explicitly; docs/mcp.md has the table.
 *
 * It stays connected until it is closed. A server that ends is started again by the next call.
 *
 * @throws AetherisError AGENT_INVALID where an option is wrong or names no tool, or two tools would have one name;
 * TOOLS_UNAVAILABLE where the server does not start, answer or list its tools; LIMIT_EXCEEDED where it has too many, or
says too much about one of them.
 */
export async function mcpServer(options: McpServerOptions): Promise<McpServer> {
  const checked = checkOptions(options)
  const { name, connectTimeoutMs } = checked
  const onLog = 'onLog' in checked ? checked.onLog : () => {}
  const connection = new Connection({ name, endpoint: endpointOf(checked), connectTimeoutMs, onLog })
  try {
    return serverOf(name, toolsOf(await connection.open(), connection, checked), connection)
  } catch (error) {
    await connection.close()
    throw error
  }
}

function serverOf(name: string, tools: ReadonlyMap<string, McpTool>, connection: Connection): McpServer {
  const close = () => connection.close()
  return Object.freeze({
    name,
    tools: Object.freeze([...tools.values()]),
    tool(wanted: string) {
      const found = tools.get(wanted)
      if (found === undefined) throw missing(name, wanted, tools.keys())
      return found
    },
    close,
    [Symbol.asyncDispose]: close,
  })
}

/** The tools of a session that are wanted, by the server's names. */
function toolsOf(session: Session, connection: Connection, options: Options): ReadonlyMap<string, McpTool> {
  const { name: server, retry, timeoutMs, approval } = options
  const turns = new Turns()
  const tools = new Map<string, McpTool>()
  for (const [own, definition] of chosen(session.definitions, options)) {
    if (definition instanceof AetherisError) throw unfit(server, own, definition)
    const { hints, task } = definition
    const effect = classOf(own, hints, options)
    const parts = { definition, effect, retry, timeoutMs, connection, turns }
    const made = mcpTool({
      ...parts,
      name: toolName(server, own),
      needsApproval: needsApproval(effect, hints, approval),
      origin: originOf(server, session, definition),
      isTask: task !== 'forbidden' && session.hasTasks,
    })
    tools.set(own, made)
  }
  checkNames(server, tools)
  return tools
}

function chosen(definitions: Definitions, { name, only, effects, loosen }: Options) {
  for (const each of [...(only ?? []), ...Object.keys(effects), ...Object.keys(loosen)]) {
    if (!definitions.has(each)) throw missing(name, each, definitions.keys())
  }
  const found = [...definitions].filter(([own]) => only === undefined || only.includes(own))
  if (found.length <= limits.serverToolsMax) return found
  const message = `Server "${name}" has ${found.length} tools, and at most ${limits.serverToolsMax} are taken; name those that you want in \`only\`.`
  throw new AetherisError('LIMIT_EXCEEDED', message)
}

function unfit(server: string, own: string, { code, message }: AetherisError): AetherisError {
  const what = `Tool ${JSON.stringify(own)} of server "${server}" cannot be taken: ${message}`
  return new AetherisError(code, `${what} Name the others in \`only\` to do without it.`)
}

function checkNames(server: string, tools: ReadonlyMap<string, McpTool>): void {
  const owns = new Map<string, string>()
  for (const [own, { name }] of tools) {
    const other = owns.get(name)
    owns.set(name, own)
    if (other === undefined) continue
    const both = `${JSON.stringify(other)} and ${JSON.stringify(own)}`
    throw invalid(server, `its tools ${both} would both be "${name}" here; take one of them by \`only\``)
  }
}

/** What the history keeps of where the tool comes from. */
function originOf(name: string, { server }: Session, { digest, hints }: Definition): ToolOrigin {
  const from = { server: server?.name ?? name, ...(server === undefined ? {} : { version: server.version }) }
  return { ...from, digest, hints: { ...hints } as Json }
}

const namesShown = 50

function missing(server: string, wanted: string, names: Iterable<string>): AetherisError {
  const all = [...names]
  const shown = all.slice(0, namesShown).join(', ') || 'none'
  const more = all.length > namesShown ? ` and ${all.length - namesShown} more` : ''
  return invalid(server, `it has no tool ${JSON.stringify(wanted)}; it has: ${shown}${more}`)
}
