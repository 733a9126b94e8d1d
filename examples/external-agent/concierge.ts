/** Somebody's agent, in whatever language: it knows nothing of Aetheris but the protocol. */
// #region concierge
import { createServer } from 'node:http'

interface Calls {
  url: string
  token: string
}

/** Calls a tool, and asks again as long as it has not ended. The same key is the same call, however often it is sent. */
async function callTool({ url, token }: Calls, key: string, tool: string, input: unknown) {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
  let response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ key, tool, input }) })
  while (response.status === 202) response = await fetch(String(response.headers.get('location')), { headers })
  const { status, output, error, detail } = await response.json()
  if (status === 'completed') return output
  throw new Error(error?.message ?? detail ?? status)
}

const concierge = createServer(async (request, response) => {
  let text = ''
  for await (const chunk of request) text += chunk
  const { input, calls } = JSON.parse(text)
  response.setHeader('Content-Type', 'application/json')
  try {
    const { room } = await callTool(calls, 'hotel', 'book', { town: input.town })
    response.end(JSON.stringify({ output: `Room ${room} in ${input.town} is yours.` }))
  } catch (error) {
    response.end(JSON.stringify({ error: { message: String(error) } }))
  }
})
concierge.listen(Number(process.env['PORT'] ?? 4811), '127.0.0.1')
// #endregion
