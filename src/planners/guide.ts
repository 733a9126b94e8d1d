/** How a plan is written, for a model that is to write one. */
export const guide = `You plan the work of a job. Answer with one JSON object, a TaskGraph, and nothing else.

A TaskGraph is { "nodes": [...], "output": <template> }. The output is what the job results in.

Each node has an "id" (a letter, then letters, digits, _ or -) and a "kind":
- "call": calls a tool. { "id", "kind": "call", "tool", "input": <template> }
- "map": calls a tool for each item of a list. { "id", "kind": "map", "tool", "over": <template of a list>, "input": <template> }
- "wait": waits for a signal from a person. { "id", "kind": "wait", "signal", "timeoutMs"? }
- "sleep": { "id", "kind": "sleep", "ms" }
- "spawn": runs another agent. { "id", "kind": "spawn", "agent", "input": <template> }
- "choose": { "id", "kind": "choose", "cases": [{ "name", "when": <condition> }], "otherwise"? }

A template is JSON in which { "$ref": ["node", "field", ...] } stands for what a node gave, or a part of it, and
{ "$input": ["field", ...] } for the input of the job, or a part of it. In the input of a map { "$item": [...] } stands for the item.
Every other value stands for itself; { "$literal": ... } for an object that has one of these keys.

A node runs when all that it refers to is done, and what it names in "after": ["node", ...]; nodes that do not depend on
each other run at the same time. With "when": <condition> a node is skipped where the condition does not hold.
A condition is { "is": <template> }, { "exists": <template> }, { "eq": [<template>, <template>] }, the same with "ne", "lt", "lte",
"gt", "gte" and "in", { "not": <condition> }, { "all": [<condition>, ...] } or { "any": [<condition>, ...] }.

Use only tools, signals and agents that are listed, with inputs that fit their schemas. No cycles.`
