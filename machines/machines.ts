/** The statecharts that run: the life of a job, and the parts of a plan that have one of their own. */
export { type InertLogic, type InertSnapshot, inert, type Outcome, type RequestKind } from './inert.ts'
export { type JobContext, type JobControl, jobMachine } from './job.ts'
export { type LoopContext, type LoopInput, type LoopParts, loopMachine, loopOf } from './loop.ts'
export { type MapContext, type MapInput, type MapOutcome, mapMachine } from './map.ts'
export type { PartOutcome, PlanOutcome } from './outcome.ts'
export { type SagaContext, sagaMachine } from './saga.ts'
