import { join } from 'node:path'

export const title = 'LangGraph'
export const durability = 'SQLite in the process, WAL, synchronous=full, durability: sync'

export async function open({ directory, step, steps, width }) {
  const { Annotation, END, Send, START, StateGraph } = await import('@langchain/langgraph')
  const { SqliteSaver } = await import('@langchain/langgraph-checkpoint-sqlite')
  const { default: Database } = await import('better-sqlite3')
  const database = new Database(join(directory, 'checkpoints.db'))
  database.pragma('journal_mode=WAL')
  database.pragma('synchronous=full')
  const checkpointer = new SqliteSaver(database)
  const all = Annotation({ reducer: (before, more) => [...before, ...more], default: () => [] })
  const State = Annotation.Root({ id: Annotation, last: Annotation, all })

  const nodes = Array.from({ length: steps }, (_, n) => `s${n}`)
  const graph = new StateGraph(State)
  for (const [n, name] of nodes.entries()) {
    graph.addNode(name, async ({ id }) => ({ last: step(id, n) }))
    graph.addEdge(nodes[n - 1] ?? START, name)
  }
  const chain = graph.addEdge(nodes.at(-1), END).compile({ checkpointer })
  const fan = new StateGraph(State)
    .addNode('one', async ({ id, last }) => ({ all: [step(id, last).n] }))
    .addConditionalEdges(START, ({ id }) => Array.from({ length: width }, (_, n) => new Send('one', { id, last: n })), [
      'one',
    ])
    .addEdge('one', END)
    .compile({ checkpointer })

  const config = (id) => ({ configurable: { thread_id: id }, durability: 'sync', recursionLimit: 2 * steps + 10 })
  const run = (id) => chain.invoke({ id }, config(id))
  return {
    run,
    fan: (id) => fan.invoke({ id }, config(id)),
    // It does not recover by itself: whoever knows the ids looks at each and goes on where it stopped.
    async resume(id) {
      const state = await chain.getState(config(id))
      if (state.config?.configurable?.checkpoint_id === undefined) await run(id)
      else if (state.next.length > 0) await chain.invoke(null, config(id))
    },
    close: async () => database.close(),
  }
}
