import { z } from 'zod'
import type { Json } from '../base/json.ts'

/** Something that a plan or a model may choose: a tool or an agent, with the JSON Schema of what it takes and gives. */
export interface Described {
  name: string
  description?: string
  input: Json
  output: Json
}

interface Describable {
  name: string
  description?: string | undefined
  input: z.ZodType
  output: z.ZodType
}

export function described({ name, description, input, output }: Describable): Described {
  return {
    name,
    ...(description === undefined ? {} : { description }),
    input: jsonSchema(input),
    output: jsonSchema(output),
  }
}

/** The JSON Schema of one side; what a schema cannot say (dates, transforms) is left open. */
export function jsonSchema(schema: z.ZodType): Json {
  return z.toJSONSchema(schema, { target: 'draft-7', io: 'input', unrepresentable: 'any' }) as unknown as Json
}
