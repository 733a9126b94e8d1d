/** Tools of MCP servers in jobs. */
export type { McpTool } from './mcp-tool.ts'
export type { McpServerOptions } from './options.ts'
export type { McpResult } from './result.ts'
export { type McpServer, mcpServer } from './server.ts'
