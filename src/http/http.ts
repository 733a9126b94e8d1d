/** Agents that are not jobs here: called over HTTP, and calling tools through the ledger. */
export { type CallEndpointOptions, callEndpoint, type Handler } from './call-endpoint.ts'
export { type ExposedTools, type ExposeToolsOptions, exposeTools } from './expose-tools.ts'
export { type HttpAgentOptions, httpAgent } from './http-agent.ts'
export type { HeaderSource } from './peer.ts'
export { type Server, serve } from './serve.ts'
