import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { agent, openRuntime } from 'aetheris'
import { levelStore } from 'aetheris/level'
import { mcpServer } from 'aetheris/mcp'
import { z } from 'zod'

const root = await mkdtemp(join(tmpdir(), 'notes-'))
await using files = await mcpServer({
  name: 'files',
  command: 'npx',
  args: ['-y', '@modelcontextprotocol/server-filesystem', root],
})

const notes = agent({
  name: 'notes',
  input: z.object({ text: z.string() }),
  output: z.any(),
  tools: files.tools,
  plan(graph, input) {
    const path = join(root, 'note.txt')
    const written = graph.call('write', files.tool('write_file'), { path, content: input.text })
    const found = graph.call('read', files.tool('read_text_file'), { path }, { after: [written] })
    return found.structuredContent['content']
  },
})

await using runtime = await openRuntime({ store: levelStore(join(root, 'data')), agents: [notes] })
const job = await runtime.spawn(notes, { text: 'hello' })
console.log(await job.result()) // hello
