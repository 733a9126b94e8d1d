/** The statecharts that run: the life of a job, and the map over a list. */
export { type InertLogic, type InertSnapshot, inert, type Outcome, type RequestKind } from './inert.ts'
export { jobMachine } from './job.ts'
export { type MapContext, type MapInput, mapMachine } from './map.ts'
