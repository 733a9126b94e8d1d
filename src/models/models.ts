/** Models in jobs: as tools, as agents that call tools, and what they cost. */
export { type ModelOptions, modelName } from './call-model.ts'
export { type Account, createLedger, type LedgerContext, ledgerOf } from './ledger.ts'
export { type ModelTool, type ModelToolOptions, modelTool } from './model-tool.ts'
export type { ModelCall, ModelPort } from './port.ts'
export { type PriceTable, priceTable } from './prices.ts'
export { type ReactAgentOptions, reactAgent } from './react-agent.ts'
export type { ModelReply } from './reply.ts'
export type { Message, ModelRequest } from './request.ts'
