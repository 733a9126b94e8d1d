/**
 * Researches a question in the documents of this project. A model plans: it splits the question into parts, and its plan
 * is the machine that runs. Each part is a job of its own, in which a model searches and reads until it can answer.
 *
 *     npm run research                                            with a model server that stands in, on this machine
 *     MODEL_URL=... MODEL_KEY=... MODEL=... npm run research      with any server that speaks OpenAI's protocol
 */
// #region agent
import { rename, writeFile } from 'node:fs/promises'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { agent, tool } from 'aetheris'
import { reactAgent } from 'aetheris/models'
import { llmPlanner } from 'aetheris/planners'
import { z } from 'zod'
import { readSection, searchSections } from './documents.ts'

const { MODEL_URL = 'http://127.0.0.1:11434/v1', MODEL_KEY = '', MODEL = 'offline' } = process.env
const model = createOpenAICompatible({ name: 'research', baseURL: MODEL_URL, apiKey: MODEL_KEY, includeUsage: true })(
  MODEL,
)

const search = tool({
  name: 'search',
  description: 'Finds the sections of the documents in which most of the words stand.',
  input: z.object({ words: z.array(z.string()) }),
  output: z.array(z.object({ source: z.string(), begin: z.string() })),
  effect: 'read',
  run: ({ words }) => searchSections(words),
})

const read = tool({
  name: 'read',
  description: 'Gives the whole text of a section, by its source.',
  input: z.object({ source: z.string() }),
  output: z.string(),
  effect: 'read',
  run: ({ source }) => readSection(source),
})

const finding = z.object({ answer: z.string(), sources: z.array(z.string()) })

export const investigator = reactAgent({
  name: 'investigator',
  model,
  tools: [search, read],
  input: z.object({ question: z.string() }),
  output: finding,
  prompt: ({ question }) => question,
  instructions: `Answer only from the documents: search, then read what looks right. When you know enough, answer with JSON
alone: { "answer": "...", "sources": ["the source of each section that you used"] }.`,
  stepsMax: 10,
  budget: { tokens: 200_000 },
})
// #endregion

const report = tool({
  name: 'report',
  description: 'Writes the report. Its output is the path of the file.',
  input: z.object({ question: z.string(), findings: z.array(z.object({ question: z.string(), finding })) }),
  output: z.string(),
  effect: 'idempotent',
  async run({ question, findings }) {
    const parts = findings.map(({ question: part, finding: { answer, sources } }) =>
      [`## ${part}`, answer, ...sources.map((source) => `- ${source}`)].join('\n\n'),
    )
    const path = 'research-report.md'
    // Renamed when it is whole, so that nobody reads the half of it.
    await writeFile(`${path}.tmp`, `${[`# ${question}`, ...parts].join('\n\n')}\n`)
    await rename(`${path}.tmp`, path)
    return path
  },
})

// #region planner
export const research = agent({
  name: 'research',
  input: z.object({ question: z.string() }),
  output: z.object({ report: z.string(), findings: z.array(finding) }),
  tools: [report],
  agents: [investigator],
  budget: { tokens: 50_000 },
  planner: llmPlanner({
    model,
    instructions: `Split the question into at most 4 parts that can be answered apart from each other. The plan has a node of kind
"spawn" of the agent "investigator" for each part, and then one call of "report" with the question of the job and all findings.
Its output is { "report": <what the report gave>, "findings": [<what each part gave>, ...] }.`,
  }),
})
// #endregion
