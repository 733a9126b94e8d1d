import { z } from 'zod'
import { isObject, type Json, type JsonObject } from '../base/json.ts'

/**
 * Schemas that a server gives, as zod schemas. Models are shown them as they are; what is checked here is weaker.
 *
 * I1 What the server's schema takes is taken: the server checks for itself, and its word counts.
 * I2 Checking takes time in proportion to the schema and the value, whatever the schema: no pattern is run and no
 *    reference followed, as either can be made to run for ever.
 * I3 A value is never changed: no defaults are filled in, so what is sent is what the history has.
 */

/** Keywords that need nothing but the value, and can only be made weaker by what is left out below them. */
const plain = [
  ...['required', 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'],
  ...['minLength', 'maxLength', 'minItems', 'maxItems', 'minProperties', 'maxProperties'],
]

/** The part of a JSON Schema that is checked here. */
export function weakened(schema: Json | undefined): Json {
  if (typeof schema === 'boolean') return schema
  if (!isObject(schema) || '$ref' in schema || '$dynamicRef' in schema) return true
  const weak: JsonObject = scalars(schema)
  for (const key of plain) if (schema[key] !== undefined) weak[key] = schema[key]
  const { properties, patternProperties, additionalProperties, items, prefixItems, allOf, anyOf, oneOf } = schema
  if (isObject(properties)) weak['properties'] = mapped(properties)
  // What the patterns would let through is not known.
  if (additionalProperties !== undefined && patternProperties === undefined) {
    weak['additionalProperties'] = weakened(additionalProperties)
  }
  // A list of schemas, one for each item, is the older way of writing `prefixItems`.
  if (items !== undefined && !Array.isArray(items) && prefixItems === undefined) weak['items'] = weakened(items)
  // Of weaker alternatives more than one may fit.
  const alternatives = [anyOf, oneOf].filter(isFilled).map((list) => ({ anyOf: list.map(weakened) }))
  const parts = [...(isFilled(allOf) ? allOf.map(weakened) : []), ...alternatives]
  return parts.length === 0 ? weak : { ...weak, allOf: parts }
}

/** What is said of values without parts, where zod takes no fewer of them than JSON Schema does. */
function scalars({ type, enum: choices, const: only }: JsonObject): JsonObject {
  const weak: JsonObject = {}
  // To zod only those are integers that a double holds exactly.
  const wider = (name: Json) => (name === 'integer' ? 'number' : name)
  if (type !== undefined) weak['type'] = Array.isArray(type) ? type.map(wider) : wider(type)
  if (isFilled(choices) && choices.every(isScalar)) weak['enum'] = choices
  if (only !== undefined && isScalar(only)) weak['const'] = only
  return weak
}

function isScalar(value: Json): boolean {
  return typeof value !== 'object' || value === null
}

function isFilled(list: Json | undefined): list is Json[] {
  return Array.isArray(list) && list.length > 0
}

function mapped(schemas: JsonObject): JsonObject {
  // To zod an object has a `constructor` even where it is an inherited one.
  const weak = (key: string, schema: Json) => (key in Object.prototype ? true : weakened(schema))
  return Object.fromEntries(Object.entries(schemas).map(([key, schema]) => [key, weak(key, schema)]))
}

/** Takes what fits the server's schema, as far as that is checked here, and shows models all of it. */
export function fromServer<T extends Json>(schema: JsonObject): z.ZodType<T, T> {
  let check: z.ZodType | undefined
  return z
    .custom<T>()
    .superRefine((value, context) => {
      check ??= checkOf(schema)
      for (const { path, message } of check.safeParse(value).error?.issues ?? []) {
        context.addIssue({ code: 'custom', path, message })
      }
    })
    .meta(shown(schema))
}

/** A schema that cannot be used takes everything: what it says is between the caller and the server. */
function checkOf(schema: JsonObject): z.ZodType {
  try {
    return z.fromJSONSchema(weakened(schema) as JsonObject)
  } catch {
    return z.unknown()
  }
}

/** Without what zod takes for a name of its own. */
function shown({ id: _, ...schema }: JsonObject): JsonObject {
  return schema
}
