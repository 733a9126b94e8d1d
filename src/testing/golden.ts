import { readFile, writeFile } from 'node:fs/promises'
import type { AnyAgent } from '../agent/agent.ts'
import { AetherisError } from '../base/error.ts'
import { type JobEvent, parseEvent } from '../event/event.ts'
import type { TaskGraph } from '../graph/graph.ts'
import { replay } from '../replay/replay.ts'

/** Histories that are kept as files: today's code has to be able to go on with what earlier code began. */

interface Recorded {
  readonly agent: AnyAgent
  events(): AsyncIterable<JobEvent>
}

/** The history of a job as text, an event a line: what a golden file holds. */
export async function recordHistory(job: Pick<Recorded, 'events'>): Promise<string> {
  let text = ''
  for await (const event of job.events()) text += `${JSON.stringify(event)}\n`
  return text
}

/**
 * Holds the agent of a job, as it is today, against a history that was kept in `file`: it has to replay, and the agent
 * still to have the tools, signals and agents that the plan names, with inputs that fit.
 *
 * With `update` the history of `job` is kept instead. Do that once, and again where a change is wanted.
 * @throws AetherisError REPLAY_DIVERGED, which says what to do; INPUT_INVALID where there is no such file, or it is not
 * a history.
 */
export async function expectGolden(file: string, job: Recorded, { update = false } = {}): Promise<void> {
  if (update) return writeFile(file, await recordHistory(job))
  const text = await readFile(file, 'utf8').catch((cause) => {
    const message = `There is no golden history "${file}". Keep the one of this job with { update: true }, once.`
    throw new AetherisError('INPUT_INVALID', message, { cause })
  })
  const events = eventsOf(file, text)
  const problem = (await divergence(job.agent, events)) ?? missing(job.agent, events)
  if (problem === undefined) return
  const message = `Jobs that began as the one in "${file}" cannot go on with agent "${job.agent.name}" as it is now: ${problem} If that is not wanted, change the agent back. If it is, see that no such job is left, or leave this agent as it was and give the new one another name; then keep a new history with { update: true }.`
  throw new AetherisError('REPLAY_DIVERGED', message)
}

function eventsOf(file: string, text: string): JobEvent[] {
  try {
    return text.split('\n').flatMap((line) => (line === '' ? [] : [parseEvent(JSON.parse(line))]))
  } catch (cause) {
    throw new AetherisError('INPUT_INVALID', `"${file}" is not a history, an event a line.`, { cause })
  }
}

async function divergence(agent: AnyAgent, events: readonly JobEvent[]): Promise<string | undefined> {
  const { divergence: found } = await replay(agent, events)
  if (found === undefined) return undefined
  return `at seq ${found.seq}, ${found.path} was ${JSON.stringify(found.recorded)} and is ${JSON.stringify(found.replayed)}.`
}

/** What a plan names and the agent has no more, or takes no more. The plan itself is in the history, and stays. */
function missing(agent: AnyAgent, events: readonly JobEvent[]): string | undefined {
  for (const { seq, type, data } of events) {
    if (type === 'plan.adopted' || type === 'plan.revised') {
      const [name] = namesOf((data.graph as unknown as TaskGraph).nodes).filter((each) => !has(agent, each))
      if (name !== undefined) return `it has no ${name.join(' ')}, which the plan of seq ${seq} names.`
    }
    const tool = type === 'node.started' ? agent.tools.get(data.tool) : undefined
    if (type === 'node.started' && tool !== undefined && tool.summarize === undefined) {
      const { error } = tool.input.safeParse(data.input)
      if (error !== undefined)
        return `its tool ${data.tool} does not take the input of ${data.effect}: ${error.message}.`
    }
  }
  return undefined
}

type Name = readonly ['tool' | 'signal' | 'agent', string]

function has(agent: AnyAgent, [kind, name]: Name): boolean {
  return { tool: agent.tools, signal: agent.signals, agent: agent.agents }[kind].has(name)
}

function namesOf(nodes: TaskGraph['nodes']): Name[] {
  return nodes.flatMap((node): Name[] => {
    const undone: Name[] = 'compensate' in node && node.compensate ? [['tool', node.compensate.tool]] : []
    switch (node.kind) {
      case 'call':
      case 'map':
        return [['tool', node.tool], ...undone]
      case 'wait':
        return [['signal', node.signal]]
      case 'spawn':
        return [['agent', node.agent], ...undone]
      case 'loop':
        return namesOf(node.body.nodes)
      default:
        return []
    }
  })
}
