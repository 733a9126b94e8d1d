export { type Agent, type AgentOptions, agent, type InputOf, type OutputOf } from './agent/agent.ts'
export { fromMachine, type MachineOptions } from './agent/machine-agent.ts'
export type { Planner, PlanRequest } from './agent/planner.ts'
export { type Signal, signal } from './agent/signal.ts'
export { type Tool, type ToolContext, type ToolOptions, tool } from './agent/tool.ts'
export { toolActor } from './agent/tool-actor.ts'
export {
  AetherisError,
  type ErrorCode,
  type Issue,
  isAetherisError,
  OutcomeUnknownError,
  RetryableError,
  TerminalError,
} from './base/error.ts'
export type { JobEvent } from './event/event.ts'
export type { TaskGraph } from './graph/graph.ts'
export {
  all,
  any,
  eq,
  exists,
  gt,
  gte,
  is,
  isIn,
  lt,
  lte,
  ne,
  not,
  type Question,
  type When,
} from './graph/question.ts'
export { undo } from './graph/undo.ts'
export type { JobSnapshot } from './replay/job-snapshot.ts'
export type { SpawnOptions } from './runtime/admission.ts'
export type { JobHandle } from './runtime/job-handle.ts'
export type { Thrown } from './runtime/runner.ts'
export { openRuntime, type Runtime, type RuntimeOptions } from './runtime/runtime.ts'
export type { StreamOptions, StreamPart } from './runtime/stream.ts'
export type { JobStore } from './store/store.ts'
