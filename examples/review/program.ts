/** The same agent from a program of one's own. */
// #region program
import { openRuntime } from 'aetheris'
import { levelStore } from 'aetheris/level'
import { replay } from 'aetheris/replay'
import { approval, review } from './agent.ts'

// Opening resumes whatever an earlier process left unfinished.
await using runtime = await openRuntime({ store: levelStore('data'), agents: [review] })

const job = await runtime.spawn(review, { topic: 'tea' }, { id: 'tea' })
await job.waitFor((snapshot) => snapshot.matches('review.waiting'))
await job.signal(approval, { approved: true, by: 'Ana' })
console.log(await job.result()) // { page: 'pages.txt' }

// Replay is pure: no tool runs, no clock is read.
const past = await replay(review, job.events(), { until: 4 })
console.log(past.snapshot.value, past.divergence) // { running: { review: 'waiting' } } undefined
// #endregion
