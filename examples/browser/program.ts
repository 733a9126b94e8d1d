/**
 * The page beside this file. To look at it, after `npm run build`, from the top of the project:
 *
 *     npx esbuild examples/browser/program.ts --bundle --format=esm --tsconfig-raw={} --servedir=examples/browser \
 *       --outdir=examples/browser
 */
// #region program
import { openRuntime } from 'aetheris'
import { levelStore } from 'aetheris/level'
import { replay } from 'aetheris/replay'
import { Level } from 'level'
import { cup, taste } from './agent.ts'

// Opening resumes whatever the page was doing when it was closed or reloaded.
const runtime = await openRuntime({ store: levelStore(new Level('jobs')), agents: [cup] })
const job = await runtime.spawn(cup, { tea: 'green', steepMs: 10_000 }, { id: 'cup' })

job.subscribe(({ value }) => show(value))
show(job.getSnapshot().value)
element('good').onclick = () => job.signal(taste, { good: true })
const output = await job.result()
const { divergence } = await replay(cup, job.events())
show({ output, replay: divergence ?? 'identical' })
// #endregion

function show(what: unknown): void {
  element('state').textContent = JSON.stringify(what)
}

function element(id: string): HTMLElement {
  return document.getElementById(id) as HTMLElement
}
