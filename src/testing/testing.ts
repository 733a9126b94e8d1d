/** The kit for users' tests: a runtime in memory under a simulated clock, and the suite that a store has to pass. */
export { type MemoryContents, type MemoryStore, memoryStore } from '../store/memory-store.ts'
export { jobStoreSuite } from './job-store-suite.ts'
export { SimulatedClock } from './simulated-clock.ts'
export { TestRuntime, type TestRuntimeOptions, type TestSnapshot, testRuntime } from './test-runtime.ts'
