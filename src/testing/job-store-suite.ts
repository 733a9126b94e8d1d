import { afterEach, beforeEach, describe } from 'vitest'
import { Bench, type StoreUnderTest } from './job-store-bench.ts'
import { argumentCases } from './job-store-suite-arguments.ts'
import { closingCases } from './job-store-suite-closing.ts'
import { commitCases } from './job-store-suite-commits.ts'
import { copyCases } from './job-store-suite-copies.ts'
import { inboxCases } from './job-store-suite-inbox.ts'
import { readCases } from './job-store-suite-reads.ts'
import { timerCases } from './job-store-suite-timers.ts'

export type { StoreUnderTest } from './job-store-bench.ts'

export interface JobStoreSuiteOptions {
  /** Name of the store in the test report. */
  name: string
  /** Called before each test. */
  factory: () => Promise<StoreUnderTest>
  /** Whether its database can show one moment while others write (default true): IndexedDB cannot. */
  oneMoment?: boolean
}

/**
 * The contract of a durable store as tests (vitest): S1 to S8 and every sentence of `JobStore`.
 * Call it at the top level of a test file.
 */
export function jobStoreSuite({ name, factory, oneMoment = true }: JobStoreSuiteOptions): void {
  describe(`JobStore: ${name}`, () => {
    const bench = new Bench(factory)
    beforeEach(() => bench.start())
    afterEach(() => bench.end())
    commitCases(bench)
    argumentCases(bench)
    readCases(bench)
    inboxCases(bench)
    timerCases(bench)
    copyCases(bench, oneMoment)
    closingCases(bench)
  })
}
