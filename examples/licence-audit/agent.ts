/**
 * The licences of every installed package, as a durable job: find the packages, read each one in a step of its own,
 * judge them by a policy, ask a person about what lies outside it, write a report.
 *
 *     aetheris run examples/licence-audit/agent.ts --input '{"allow":["MIT","ISC"]}'
 */
import { rename, writeFile } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { agent, signal, tool } from 'aetheris'
import { z } from 'zod'
import { readPackage } from './manifest.ts'
import { findPackages } from './packages.ts'
import { classify, defaultAllow } from './policy.ts'
import { renderReport } from './report.ts'

const ownModules = relative(process.cwd(), fileURLToPath(new URL('../../node_modules', import.meta.url))) || '.'

const installed = z.object({ dir: z.string(), name: z.string(), version: z.string() })
const licence = z.object({
  name: z.string(),
  version: z.string(),
  declared: z.string().nullable(),
  detected: z.string().nullable(),
})
const outside = z.object({
  name: z.string(),
  version: z.string(),
  licence: z.string(),
  verdict: z.enum(['allowed', 'outside', 'unknown']),
  why: z.string(),
})
const decision = z.object({
  approved: z.boolean(),
  by: z.string().min(1).describe('your name'),
  note: z.string().optional(),
})

const find = tool({
  name: 'find',
  input: z.object({ root: z.string() }),
  output: z.object({ packages: z.array(installed) }),
  effect: 'read',
  run: async ({ root }) => ({ packages: await findPackages(root) }),
})

const read = tool({
  name: 'read',
  input: z.object({ dir: z.string() }),
  output: licence,
  effect: 'read',
  run: ({ dir }) => readPackage(dir),
})

const judge = tool({
  name: 'judge',
  input: z.object({ packages: z.array(licence), allow: z.array(z.string()) }),
  output: z.object({
    count: z.int(),
    names: z.record(z.string(), z.array(z.string())),
    byLicence: z.record(z.string(), z.int()),
    outside: z.array(outside),
    needsApproval: z.boolean(),
  }),
  effect: 'read',
  run({ packages, allow }) {
    const names: Record<string, string[]> = {}
    const notAllowed: z.infer<typeof outside>[] = []
    for (const found of packages) {
      const judged = classify(found, allow)
      names[judged.licence] ??= []
      names[judged.licence]?.push(`${found.name}@${found.version}`)
      if (judged.verdict !== 'allowed') notAllowed.push({ name: found.name, version: found.version, ...judged })
    }
    const byLicence = Object.fromEntries(Object.entries(names).map(([id, list]) => [id, list.length]))
    return { count: packages.length, names, byLicence, outside: notAllowed, needsApproval: notAllowed.length > 0 }
  },
})

const write = tool({
  name: 'write',
  input: z.object({
    path: z.string(),
    root: z.string(),
    packages: z.int(),
    names: z.record(z.string(), z.array(z.string())),
    outside: z.array(outside),
    decision: decision.optional(),
  }),
  output: z.object({ path: z.string() }),
  effect: 'idempotent',
  async run({ path, root, packages, names, outside, decision }, { idempotencyKey }) {
    const text = renderReport({
      root,
      packages,
      byLicence: names,
      outside,
      approvals: decision === undefined ? [] : [decision],
    })
    const target = resolve(path)
    // Written beside it and renamed, so that a reader sees the old report or the new one, never half of it.
    const temporary = `${target}.${idempotencyKey.replaceAll(/[^\w-]/g, '_')}.tmp`
    await writeFile(temporary, text)
    await rename(temporary, target)
    return { path }
  },
})

/** A person's answer to what lies outside the policy. */
export const approval = signal('approval', decision)

export const licenceAudit = agent({
  name: 'licence-audit',
  input: z.object({
    /** The package tree: a node_modules directory, or a directory that holds one. Default: this project's own. */
    root: z.string().default(ownModules),
    /** The Markdown file to write. */
    report: z.string().default('licence-report.md'),
    /** SPDX ids of the policy; `"*"` allows any. Default: the usual permissive and weak-copyleft ones. */
    allow: z.array(z.string()).default([...defaultAllow]),
  }),
  output: z.object({
    packages: z.int(),
    byLicence: z.record(z.string(), z.int()),
    outside: z.array(outside),
    report: z.string(),
  }),
  tools: [find, read, judge, write],
  signals: [approval],
  // #region plan
  plan(graph, { root, report, allow }) {
    const found = graph.call('find', find, { root })
    const packages = graph.map('read', read, found.packages, (each) => ({ dir: each.dir }), { concurrency: 16 })
    const judged = graph.call('judge', judge, { packages, allow })
    const written = { path: report, root, packages: judged.count, names: judged.names, outside: judged.outside }
    const result = { packages: judged.count, byLicence: judged.byLicence, outside: judged.outside }
    // A policy that allows anything leaves nothing to ask, so its plan has no approval in it.
    if (allow.includes('*')) return { ...result, report: graph.call('write', write, written).path }
    // Whoever is asked has the report in hand, with what is not decided yet.
    const draft = graph.call('draft', write, written, { when: judged.needsApproval })
    const decision = graph.wait('approval', approval, { when: judged.needsApproval, after: [draft] })
    return { ...result, report: graph.call('write', write, { ...written, decision }).path }
  },
  // #endregion
})
