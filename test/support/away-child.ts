import { type AwayLife, live } from './away-life.ts'

/** Child process: lives until it is killed. */
process.once('message', async (life: AwayLife) => {
  const { port } = await live(life, (deed) => process.send?.({ deed }))
  process.send?.({ port })
})
