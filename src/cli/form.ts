import { z } from 'zod'
import { isObject, type Json } from '../base/json.ts'

/** The payload of a signal as questions to a person, one a field, where its schema is flat enough for that. */

export interface Field {
  key: string
  kind: 'yes or no' | 'text' | 'number' | 'choice'
  required: boolean
  /** For a choice. */
  options: readonly string[]
  description: string | undefined
}

/** The fields of a flat object of booleans, strings, numbers and choices; undefined for any other schema. */
export function fieldsOf(payload: z.ZodType): Field[] | undefined {
  const schema = jsonSchema(payload)
  if (schema === undefined || schema['type'] !== 'object' || !isObject(schema['properties'])) return undefined
  const required = new Set(schema['required'] as string[] | undefined)
  const fields = Object.entries(schema['properties']).map(([key, property]) =>
    fieldOf(key, property, required.has(key)),
  )
  return fields.every((field) => field !== undefined) ? fields : undefined
}

function jsonSchema(payload: z.ZodType): { [key: string]: Json } | undefined {
  try {
    return z.toJSONSchema(payload, { io: 'input' }) as { [key: string]: Json }
  } catch {
    return undefined // a schema that JSON Schema cannot say
  }
}

const kinds: Record<string, Field['kind']> = {
  boolean: 'yes or no',
  string: 'text',
  number: 'number',
  integer: 'number',
}

function fieldOf(key: string, property: Json | undefined, required: boolean): Field | undefined {
  if (!isObject(property)) return undefined
  const { type, description, enum: options } = property
  const kind = Array.isArray(options) ? 'choice' : kinds[String(type)]
  if (kind === undefined || (Array.isArray(options) && !options.every((each) => typeof each === 'string')))
    return undefined
  return {
    key,
    kind,
    required,
    options: (options ?? []) as string[],
    description: typeof description === 'string' ? description : undefined,
  }
}

/** What to ask for a field. */
export function questionOf({ key, kind, required, options, description }: Field): string {
  const what = kind === 'choice' ? options.join(' / ') : kind
  const notes = [what, description, required ? undefined : 'may be left empty'].filter((note) => note !== undefined)
  return `${key} (${notes.join(', ')}): `
}

/** What a typed answer means. An empty one leaves an optional field out; `problem` says why another has to be given. */
export function answerOf({ kind, required, options }: Field, typed: string): { value?: Json } | { problem: string } {
  const text = typed.trim()
  if (text === '') return required ? { problem: 'An answer is needed.' } : {}
  switch (kind) {
    case 'yes or no':
      if (/^(y|yes|true)$/i.test(text)) return { value: true }
      return /^(n|no|false)$/i.test(text) ? { value: false } : { problem: 'Answer yes or no.' }
    case 'number':
      return Number.isFinite(Number(text)) ? { value: Number(text) } : { problem: 'That is not a number.' }
    case 'choice':
      return options.includes(text) ? { value: text } : { problem: `Answer one of: ${options.join(', ')}.` }
    case 'text':
      return { value: text }
  }
}

/** A payload or an input to start from when it is typed by hand, as JSON text. */
export function exampleJson(schema: z.ZodType | undefined): string {
  const fields = schema === undefined ? undefined : fieldsOf(schema)
  if (fields === undefined) return 'JSON'
  const needed = fields.filter((field) => field.required)
  return JSON.stringify(Object.fromEntries(needed.map((field) => [field.key, exampleOf(field)])))
}

function exampleOf({ kind, options }: Field): Json {
  if (kind === 'yes or no') return true
  if (kind === 'number') return 0
  return kind === 'choice' ? (options[0] ?? '') : 'TEXT'
}
