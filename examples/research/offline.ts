import { type ChatCompletionRequest, type ChatMessage, LLMock } from '@copilotkit/aimock'

/**
 * A server that speaks OpenAI's protocol on this machine, so that the example runs without a network and a key. What
 * answers is no model but a few rules: it splits a question at its "and", searches for its longer words, reads the two
 * best sections, and quotes from each the sentence in which most of these words stand.
 */
export async function startOffline(): Promise<LLMock> {
  const server = new LLMock({ port: 0, strict: true })
  server
    .on({ systemMessage: 'You plan the work of a job' }, (request) => ({ content: JSON.stringify(planFor(request)) }))
    .on({ hasToolResult: false }, (request) => calls('search', [{ words: wordsOf(questionIn(request)) }]))
    .on({ toolCallId: 'search-0' }, (request) => calls('read', best(request)))
    .on({}, (request) => ({ content: JSON.stringify(answerTo(request)) }))
  await server.start()
  return server
}

function planFor(request: ChatCompletionRequest) {
  const { question } = JSON.parse(/# The input of the job\n(.*)/.exec(questionIn(request))?.[1] ?? '{}')
  const parts = String(question)
    .split(/\?|,? and /)
    .map((part) => part.trim())
    .filter((part) => part !== '')
  const nodes = parts.map((part, index) => ({
    ...{ id: `part${index + 1}`, kind: 'spawn', agent: 'investigator', input: { question: `${part}?` } },
  }))
  const findings = nodes.map(({ id, input }) => ({ ...input, finding: { $ref: [id] } }))
  const input = { question: { $input: ['question'] }, findings }
  return {
    nodes: [...nodes, { id: 'report', kind: 'call', tool: 'report', input }],
    output: { report: { $ref: ['report'] }, findings: findings.map(({ finding }) => finding) },
  }
}

function calls(name: string, inputs: readonly object[]) {
  return {
    toolCalls: inputs.map((input, index) => ({ name, id: `${name}-${index}`, arguments: JSON.stringify(input) })),
  }
}

function best({ messages }: ChatCompletionRequest): { source: string }[] {
  const found: { source: string }[] = JSON.parse(textOf(messages.at(-1)))
  return found.slice(0, 2).map(({ source }) => ({ source }))
}

function answerTo(request: ChatCompletionRequest) {
  const words = wordsOf(questionIn(request))
  const asked = request.messages.flatMap(({ tool_calls }) => tool_calls ?? [])
  const read = request.messages.filter(({ tool_call_id }) => tool_call_id?.startsWith('read-'))
  return {
    answer: read.map((message) => quote(JSON.parse(textOf(message)), words)).join(' '),
    sources: read.map(({ tool_call_id }) => {
      const call = asked.find(({ id }) => id === tool_call_id)
      return JSON.parse(call?.function.arguments ?? '{}').source
    }),
  }
}

function quote(text: string, words: readonly string[]): string {
  const sentences = text.split(/\n\n|\n(?=[|-])|(?<=\.)\s/).map((sentence) => sentence.replaceAll('\n', ' '))
  const rated = sentences.map((sentence) => words.filter((word) => sentence.toLowerCase().includes(word)).length)
  return sentences[rated.indexOf(Math.max(...rated))] ?? ''
}

function wordsOf(question: string): string[] {
  return question.toLowerCase().match(/\p{L}{4,}/gu) ?? []
}

function questionIn({ messages }: ChatCompletionRequest): string {
  return textOf(messages.find(({ role }) => role === 'user'))
}

function textOf(message: ChatMessage | undefined): string {
  return typeof message?.content === 'string' ? message.content : JSON.stringify(message?.content ?? '')
}
