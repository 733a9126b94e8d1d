import { describe, expect, test } from 'vitest'
import { mcpServer } from '../../src/mcp/mcp.ts'
import { called } from '../support/mcp-call.ts'
import { WebServer } from '../support/mcp-web.ts'
import { dataOf, eventsOf } from '../support/scripted.ts'

/** A `once` tool of a server of the newest protocol, over HTTP that fails in all ways. */

async function pay(fault: WebServer['fault']) {
  const server = new WebServer()
  const url = await server.listen()
  try {
    await using bank = await mcpServer({ name: 'bank', url, headers: { authorization: 'Bearer secret' } })
    server.fault = fault
    const { runtime, job } = await called(bank.tool('pay'), { euros: 5 })
    const end = await job.waitFor(({ status, pending }) => status !== 'active' || pending[0]?.status === 'unknown')
    const history = JSON.stringify(await eventsOf(job))
    const [listed] = await dataOf(job, 'tools.listed')
    await runtime.close()
    return { server, end, history, origin: listed?.tools['bank_pay'] }
  } finally {
    server.close()
  }
}

describe('a payment', () => {
  test('is made and answered', async () => {
    const { server, end, origin } = await pay('none')
    expect(end.output).toEqual({ content: [{ type: 'text', text: 'payment 1' }] })
    expect(server.payments).toBe(1)
    expect(server.headers['mcp-protocol-version']).toBe('2026-07-28')
    expect(origin).toMatchObject({ server: 'bank', version: '7' })
  })

  test('is made with headers that no history has', async () => {
    const { server, history } = await pay('none')
    expect(server.headers.authorization).toBe('Bearer secret')
    expect(history).not.toContain('secret')
  })

  test.each(['cut', 'half', 'endless'] as const)(
    'that was made and whose answer is %s is not made again',
    async (fault) => {
      const { server, end } = await pay(fault)
      expect(end.pending[0]?.status).toBe('unknown')
      expect(server.payments).toBe(1)
    },
  )

  test.each([400, 401, 403, 404, 429])(
    'that was refused with status %i has failed, and was not made',
    async (status) => {
      const { server, end } = await pay(status)
      expect(end.status).toBe('error')
      expect(server.payments).toBe(0)
    },
  )

  test.each([408, 500, 502, 503, 504])('that met status %i may have been made', async (status) => {
    expect((await pay(status)).end.pending[0]?.status).toBe('unknown')
  })
})
