import type { AnyAgent } from '../agent/agent.ts'
import { recordedInput } from '../agent/tool.ts'
import type { Program } from '../compile/actor.ts'
import { machineOf } from '../compile/hydrate.ts'
import type { Programs } from './state.ts'

/** Grows when the same plan would compile to another machine, so that old snapshots are not used. */
const compilerVersion = 'plan/3'

/** The programs of a set of agents. A plan needs no agent: a job carries its own. */
export function programsOf(agents: ReadonlyMap<string, AnyAgent>): Programs {
  return {
    ofPlan: (graph, hash): Program => ({
      hash: compilerVersion,
      name: 'plan',
      body: machineOf(graph, hash),
      compiled: true,
    }),
    ofMachine: (name) => agents.get(name)?.program,
    recorded: (agent, { tool, input }) => recordedInput(agents.get(agent)?.tools.get(tool), input),
  }
}

/** Under what a job's snapshots are kept: those of other machines or compilers are of no use to it. */
export function snapshotKey(agent: AnyAgent | undefined): string {
  return agent?.program?.hash ?? compilerVersion
}
