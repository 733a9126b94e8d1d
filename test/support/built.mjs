import { build, isBuilt } from '../../scripts/build.mjs'

/** What tests start as a program is what users get: the build. */
export function setup() {
  if (!isBuilt()) build()
}
