import { append } from './append.ts'
import { crash } from './crash.ts'
import { curve } from './curve.ts'
import { fold } from './fold.ts'
import type { Workload } from './helpers.ts'
import { history } from './history.ts'
import { fanned, lone } from './lone.ts'
import { many } from './many.ts'
import { observer } from './observer.ts'
import { parked } from './parked.ts'
import { plans } from './plans.ts'
import { profile } from './profile.ts'
import { react } from './react.ts'
import { recovery } from './recovery.ts'
import { shards } from './shards.ts'

/** In the order in which they run. */
export const workloads: readonly Workload[] = [
  append,
  fold,
  lone,
  many,
  shards,
  fanned,
  crash,
  recovery,
  parked,
  history,
  plans,
  observer,
  react,
  curve,
  profile,
]
