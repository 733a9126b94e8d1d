import { Client } from '@modelcontextprotocol/client'
import { type Definitions, definitionsOf } from './definition.ts'
import { type Endpoint, type SessionRef, transportOf } from './transport.ts'

/** Time for an answer that needs no work. */
const signOfLifeMs = 5_000

/**
 * One session with a server: from the handshake until it ends, on whichever side.
 *
 * What a server may ask of its client (to ask a person or a model, to list folders) is not offered, and refused.
 */
export class Session {
  readonly client: Client
  private readonly timeoutMs: number
  private listed: Definitions = new Map()
  private isCurrent = false
  private isOpen = true
  private isDoubtful = false
  private session: SessionRef | undefined

  private constructor(client: Client, timeoutMs: number) {
    this.client = client
    this.timeoutMs = timeoutMs
    client.onclose = () => {
      this.isOpen = false
    }
    client.setNotificationHandler('notifications/tools/list_changed', () => {
      this.isCurrent = false
    })
  }

  /** Starts or reaches the server. Rejects with an error of the SDK. */
  static async begin(endpoint: Endpoint, timeoutMs: number, log: (line: string) => void): Promise<Session> {
    const transport = transportOf(endpoint, log)
    // Over stdio, finding out which era the server is of would start it twice.
    const isHttp = 'url' in endpoint
    const session = new Session(newClient(isHttp ? 'auto' : 'legacy'), timeoutMs)
    try {
      await session.client.connect(transport, { timeout: timeoutMs })
      const [id, version] = [transport.sessionId, session.client.getNegotiatedProtocolVersion()]
      if (id !== undefined) session.session = { id, ...(version === undefined ? {} : { version }) }
      await session.list()
      return session
    } catch (error) {
      await session.end()
      throw error
    }
  }

  /** Goes on with what another process has begun. */
  static async resume(endpoint: Endpoint, timeoutMs: number, ref: SessionRef): Promise<Session> {
    const session = new Session(newClient('legacy'), timeoutMs)
    session.session = ref
    await session.client.connect(
      transportOf(endpoint, () => {}, ref),
      { timeout: timeoutMs },
    )
    return session
  }

  get definitions(): Definitions {
    return this.listed
  }

  /** What another process needs to go on with this session: where the server keeps some, over HTTP. */
  get ref(): SessionRef | undefined {
    return this.session
  }

  /** What the server calls itself. */
  get server(): { name: string; version: string } | undefined {
    return this.client.getServerVersion()
  }

  /** Whether the server runs calls as tasks. */
  get hasTasks(): boolean {
    return this.client.getServerCapabilities()?.tasks?.requests?.tools?.call !== undefined
  }

  /** A request was not answered in time: the server may be busy with it, or hang. */
  doubt(): void {
    this.isDoubtful = true
  }

  /** Whether the next call may go to it. A server that gives no sign of life at all has to be replaced. */
  async isUsable(): Promise<boolean> {
    if (this.isOpen && this.isDoubtful) {
      this.isOpen = await this.client.ping({ timeout: Math.min(this.timeoutMs, signOfLifeMs) }).then(
        () => this.isOpen,
        () => false,
      )
      this.isDoubtful = false
    }
    if (this.isOpen && !this.isCurrent) await this.list()
    return this.isOpen
  }

  /** Ends it, and the process of the server where that is ours. Never rejects. */
  async end(): Promise<void> {
    this.isOpen = false
    await this.client.close().catch(() => {})
  }

  private async list(): Promise<void> {
    // Set before, as they may change while they are being listed.
    this.isCurrent = true
    // The SDK would print that a server has none.
    if (this.client.getServerCapabilities()?.tools === undefined) return
    try {
      const { tools } = await this.client.listTools(undefined, { timeout: this.timeoutMs, cacheMode: 'refresh' })
      this.listed = definitionsOf(tools)
    } catch (error) {
      this.isCurrent = false
      this.isDoubtful = true
      throw error
    }
  }
}

function newClient(mode: 'auto' | 'legacy'): Client {
  // No server should do otherwise for another version of ours.
  const implementation = { name: 'aetheris', version: '0' }
  return new Client(implementation, {
    capabilities: {},
    inputRequired: { autoFulfill: false },
    versionNegotiation: { mode },
  })
}
