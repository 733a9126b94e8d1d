import { live } from './crash-life.ts'

/** Child process: lives to its end on a disk that fills up, and tells when it has to wait for it. */
process.once('message', async ({ directory }: { directory: string }) => {
  await live({ directory, onProblem: ({ error }) => process.send?.(String((error as { code?: string }).code)) })
  process.disconnect()
})
