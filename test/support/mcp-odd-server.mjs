import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

/**
 * An MCP server over stdio that does what no honest one would. The file that it is given has `tools`, which it lists
 * as they are; `answer`, which it gives to every call; `error`, which it gives instead; `task`, by the method that asks about it; and
 * `notes`, which it writes to its standard error.
 */

const file = process.argv[2]
const read = () => JSON.parse(readFileSync(file, 'utf8'))
for (const note of read().notes ?? []) console.error(note)
if (read().dies) process.exit(3)

const say = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)

function resultOf({ method, params }) {
  if (method === 'initialize') {
    const capabilities = { tools: { listChanged: true }, tasks: { requests: { tools: { call: {} } }, cancel: {} } }
    return { protocolVersion: params.protocolVersion, capabilities, serverInfo: { name: 'odd', version: '1' } }
  }
  if (method === 'tools/list') return { tools: read().tools }
  if (method === 'tools/call') return read().answer
  return read().task?.[method] ?? {}
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const request = JSON.parse(line)
  if (request.id === undefined) return
  const { error } = read()
  if (request.method === 'tools/call' && error !== undefined) say({ id: request.id, error })
  else say({ id: request.id, result: resultOf(request) })
  if (read().isChanged) say({ method: 'notifications/tools/list_changed' })
})
