/** Every bound of Aetheris in one table. Refused input is refused with LIMIT_EXCEEDED or PLAN_INVALID. */
export const limits = {
  /** Nodes of one TaskGraph. */
  nodesMax: 10_000,
  /** Characters of a TaskGraph as JSON text. */
  planCharactersMax: 4 * 1024 * 1024,
  /** Levels of nesting in a plan, an input or a payload; checked before any schema. */
  depthMax: 64,
  /** Levels of nesting of one condition. */
  conditionDepthMax: 16,
  /** Items of one map node. */
  mapItemsMax: 100_000,
  /** Items of one map node that are performed at a time. */
  mapConcurrencyMax: 1_000,
  /** Iterations of one loop node. */
  iterationsMax: 10_000,
  /** Loops inside loops. */
  loopDepthMax: 4,
  /** Plans that a planner may make for one job. */
  planRoundsMax: 1_000,
  /** Any delay or timeout: 100 years. */
  delayMsMax: 100 * 365 * 86_400_000,
  /** Attempts of one call. */
  attemptsMax: 1_000,
  /** Characters of a job id, message id, signal or tool name. */
  idCharactersMax: 128,
  /** Characters that one attempt may emit. */
  emittedCharactersMax: 16 * 1024 * 1024,
  /** Bytes of what an agent at a URL answers. */
  answerBytesMax: 8 * 1024 * 1024,
  /** Characters of the name that such an agent gives to a task. */
  taskCharactersMax: 1_024,
  /** Bytes of a request to the endpoint for calls. */
  requestBytesMax: 1024 * 1024,
  /** Levels of nesting of such a request; what is called with becomes part of a plan. */
  callDepthMax: 32,
  /** Tools that are taken of one MCP server. */
  serverToolsMax: 1_000,
  /** Characters of what an MCP server says about one of its tools. */
  toolDefinitionCharactersMax: 256 * 1024,
  /** Eventless transitions in one step of a hand-written machine. */
  microstepsMax: 10_000,
} as const
