import { createInterface } from 'node:readline'
import type { z } from 'zod'
import type { AnySignal } from '../agent/signal.ts'
import type { Json } from '../base/json.ts'
import type { Context } from './context.ts'
import { answerOf, type Field, fieldsOf, questionOf } from './form.ts'
import { parseJson } from './read-json.ts'
import { printable } from './text.ts'

/**
 * Asks the person at the terminal for the payload of a signal, until it fits its schema.
 * Undefined where they end the input (Ctrl-D), or when `abandoned` aborts.
 */
export async function askFor(context: Context, signal: AnySignal, abandoned: AbortSignal): Promise<Json | undefined> {
  const { io, output } = context
  // Without `terminal` the line is edited by the terminal itself, and Ctrl-C stays a signal to the process.
  const lines = createInterface({ input: io.stdin, terminal: false, signal: abandoned })
  const endLine = () => io.say('\n') // of a question that gets no answer
  lines.once('close', endLine)
  const answers = lines[Symbol.asyncIterator]()
  const ask = async (question: string): Promise<string | undefined> => {
    output.clear()
    io.say(printable(question))
    const { value, done } = await answers.next()
    return done ? undefined : value
  }
  try {
    for (;;) {
      const payload = await askOnce(context, signal, ask)
      if (payload === undefined || signal.payload.safeParse(payload).success) return payload
      output.note(...problemsOf(signal.payload, payload))
    }
  } finally {
    lines.off('close', endLine)
    lines.close()
  }
}

type Ask = (question: string) => Promise<string | undefined>

async function askOnce({ output }: Context, signal: AnySignal, ask: Ask): Promise<Json | undefined> {
  const note = (line: string) => output.note(line)
  const fields = fieldsOf(signal.payload)
  if (fields === undefined) return askJson(note, signal.name, ask)
  const payload: { [key: string]: Json } = {}
  for (const field of fields) {
    const answer = await askField(note, field, ask)
    if (answer === undefined) return undefined
    if (answer.value !== undefined) payload[field.key] = answer.value
  }
  return payload
}

type Note = (line: string) => void

async function askField(note: Note, field: Field, ask: Ask): Promise<{ value?: Json } | undefined> {
  for (;;) {
    const typed = await ask(`  ${questionOf(field)}`)
    if (typed === undefined) return undefined
    const answer = answerOf(field, typed)
    if (!('problem' in answer)) return answer
    note(`  ${answer.problem}`)
  }
}

async function askJson(note: Note, name: string, ask: Ask): Promise<Json | undefined> {
  for (;;) {
    const typed = await ask(`  ${name}, as JSON: `)
    if (typed === undefined) return undefined
    try {
      return parseJson(typed, 'That') as Json
    } catch (error) {
      note(`  ${(error as Error).message}`)
    }
  }
}

function problemsOf(schema: z.ZodType, payload: Json): string[] {
  const { error } = schema.safeParse(payload)
  return (error?.issues ?? []).map(({ path, message }) => `  ${path.join('.')}${path.length > 0 ? ': ' : ''}${message}`)
}
