import type { Defect } from './crash-agents.ts'
import { defectiveStore } from './crash-defects.ts'
import { live } from './crash-life.ts'
import { type Kill, Points } from './crash-points.ts'

/** Child process: lives until it is killed at a point, or to its end. */
process.once('message', async ({ directory, kill, defect }: { directory: string; kill: Kill; defect?: Defect }) => {
  await live({ directory, points: new Points(kill), defect }, (store) => defectiveStore(store, defect))
  process.disconnect()
})
