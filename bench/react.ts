import { openRuntime, tool } from 'aetheris'
import { levelStore } from 'aetheris/level'
import { type ModelPort, reactAgent } from 'aetheris/models'
import { z } from 'zod'
import { type Figure, figure, inDirectory, pick, repeat, type Size, type Workload } from './helpers.ts'

/** Whether a turn costs the same however long the conversation is. The model answers at once, so it is our own cost. */

const look = tool({
  name: 'look',
  input: z.object({ at: z.int() }),
  output: z.string(),
  effect: 'read',
  run: () => 'x'.repeat(200),
})

/** Asks for one call a turn, and answers after `turns` of them. */
function modelOf(turns: number, onTurn: (turn: number) => void): ModelPort {
  let turn = 0
  return {
    specificationVersion: 'v3',
    provider: 'bench',
    modelId: 'model',
    async doGenerate() {
      onTurn(turn)
      turn += 1
      const call = { type: 'tool-call', toolCallId: 'c', toolName: 'look', input: JSON.stringify({ at: turn }) }
      const isLast = turn > turns
      return {
        content: [isLast ? { type: 'text', text: 'done' } : call],
        finishReason: { unified: isLast ? 'stop' : 'tool-calls' },
        usage: { inputTokens: { total: 1 }, outputTokens: { total: 1 } },
      }
    },
    doStream: () => Promise.reject(new Error('not used')),
  }
}

/** CPU of a turn, of `window` turns once as many turns are there as are kept, and of the last `window`. */
async function converse(turns: number, turnsKept: number, window: number) {
  const marks = new Map<number, number>()
  const onTurn = (turn: number) => {
    const { user, system } = process.cpuUsage()
    marks.set(turn, (user + system) / 1000)
  }
  const options = { model: modelOf(turns, onTurn), stream: false, tools: [look], stepsMax: turns + 1, turnsKept }
  const agent = reactAgent({ name: 'react', ...options })
  await inDirectory(async (directory) => {
    const runtime = await openRuntime({ store: levelStore(directory), agents: [agent] })
    await (await runtime.spawn(agent, 'Go on.')).result()
    await runtime.close()
  })
  const turnMs = (from: number) => ((marks.get(from + window) ?? 0) - (marks.get(from) ?? 0)) / window
  return { earlyMs: turnMs(turnsKept), lateMs: turnMs(turns - window) }
}

export const react: Workload = {
  name: 'react',
  about: 'W9: a model that calls a tool in each of 1,000 turns: the cost of a turn at the end over that at 50',
  async run(size: Size): Promise<Figure[]> {
    const turns = pick(size, { tiny: 10, normal: 1_000, large: 10_000 })
    const [kept, window] = pick<[number, number]>(size, { tiny: [2, 3], normal: [50, 100] })
    const times = pick(size, { tiny: 1, normal: 3 })
    await converse(Math.min(turns, 300), kept, window) // warms up
    const runs = await repeat(times, () => converse(turns, kept, window))
    const what = `${turns.toLocaleString('en')} turns`
    return [
      figure(`${what} over ${kept}: CPU a turn`, 'x', runs, ({ earlyMs, lateMs }) => lateMs / earlyMs, '<= 1.2'),
      figure(`${what}: CPU a turn`, 'ms', runs, ({ lateMs }) => lateMs),
    ]
  },
}
