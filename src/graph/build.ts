import type { Condition } from './condition.ts'
import { type Place, toTemplate } from './draft.ts'
import { illegalId, isNodeId, type NodeKind } from './graph.ts'
import { type Path, planInvalid, problem, quote } from './issue.ts'
import { conditionOf, type When } from './question.ts'
import { type AgentLike, makeRef, type Ref, type SignalLike, type ToolLike, targetOf } from './ref.ts'
import type { Template } from './template.ts'
import type { Undo } from './undo.ts'

/** Collects the nodes of one plan; each method of `Graph` is one of these. */

interface AnyOptions {
  after?: readonly Ref<unknown>[]
  when?: When
  compensate?: (output: Ref<unknown>, item: Ref<unknown>, index: Ref<unknown>) => Undo
  [key: string]: unknown
}

type MapInput = (item: Ref<unknown>, index: Ref<unknown>) => unknown
type AnyCase = { when?: When; plan: (graph: Builder) => unknown }
type LoopBody = (graph: Builder, state: Ref<unknown>, iteration: Ref<unknown>) => unknown
type LoopOptions = AnyOptions & { until: (state: Ref<unknown>, iteration: Ref<unknown>) => When }

/** What a plan names, so that what it built can be checked. */
interface Named {
  tools: Set<string>
  signals: Set<string>
  agents: Set<string>
}

export class Builder {
  readonly named: Named
  private readonly nodes: { id: string }[] = []
  private readonly ids = new Set<string>()
  private readonly at: Path
  private revising: unknown
  private isOpen = true
  /** The loop whose body is being built: its nodes belong to the graph that its function is given. */
  private looping: string | undefined
  /** The ways that are being built, inside each other: their nodes are skipped unless these are taken. */
  private readonly ways: Condition[] = []

  constructor(named: Named = { tools: new Set(), signals: new Set(), agents: new Set() }, at: Path = []) {
    this.named = named
    this.at = at
  }

  call(id: string, tool: ToolLike, input: unknown, options?: AnyOptions): Ref<unknown> {
    const at = this.begin(id)
    this.named.tools.add(tool.name)
    return this.add(id, 'call', options, { tool: tool.name, input: this.fill(input, [...at, 'input']) })
  }

  map(id: string, tool: ToolLike, over: unknown, each: MapInput, options?: AnyOptions): Ref<unknown> {
    const at = this.begin(id)
    this.named.tools.add(tool.name)
    const map = {}
    const input = each(this.refTo('$item', map), this.refTo('$index', map))
    return this.add(id, 'map', options, {
      tool: tool.name,
      over: this.fill(over, [...at, 'over']),
      input: this.fill(input, [...at, 'input'], { map }),
    })
  }

  wait(id: string, signal: SignalLike, options?: AnyOptions): Ref<unknown> {
    this.begin(id)
    this.named.signals.add(signal.name)
    return this.add(id, 'wait', options, { signal: signal.name })
  }

  sleep(id: string, ms: number, options?: AnyOptions): Ref<unknown> {
    this.begin(id)
    return this.add(id, 'sleep', options, { ms })
  }

  spawn(id: string, agent: AgentLike, input: unknown, options?: AnyOptions): Ref<unknown> {
    const at = this.begin(id)
    this.named.agents.add(agent.name)
    return this.add(id, 'spawn', options, { agent: agent.name, input: this.fill(input, [...at, 'input']) })
  }

  choose(id: string, cases: Record<string, AnyCase>, options?: AnyOptions): Ref<unknown> {
    const at = this.begin(id)
    const names = Object.keys(cases)
    const asked = names.filter((name) => cases[name]?.when !== undefined)
    const [otherwise, second] = names.filter((name) => cases[name]?.when === undefined)
    if (second !== undefined) {
      const message = `Only one way can be taken where no other is, and "${otherwise}" and "${second}" have no when.`
      throw planInvalid([problem('bad_condition', [...at, 'cases'], message)])
    }
    this.add(id, 'choose', options, {
      cases: asked.map((name, nth) => ({ name, when: this.ask(cases[name]?.when, [...at, 'cases', nth, 'when']) })),
      ...(otherwise === undefined ? {} : { otherwise }),
    })
    const ways = Object.fromEntries(names.map((name) => [name, this.way(id, name, cases[name] as AnyCase)]))
    return makeRef({ graph: this, form: '$case', scope: this, path: [], cases: { of: id, ways } })
  }

  private way(id: string, name: string, { plan }: AnyCase): Template {
    this.ways.push({ eq: [{ $ref: [id] }, name] })
    const result = plan(this)
    this.ways.pop()
    return this.fill(result, [...this.at, 'nodes', this.nodes.length])
  }

  loop(id: string, start: unknown, body: LoopBody, options: LoopOptions): Ref<unknown> {
    const at = this.begin(id)
    const { until, ...others } = options
    const inner = new Builder(this.named, [...at, 'body'])
    const state = inner.refTo('$state', inner)
    const iteration = inner.refTo('$iteration', inner)
    this.looping = id
    const plan = inner.finish(body(inner, state, iteration))
    this.looping = undefined
    return this.add(id, 'loop', others, {
      start: this.fill(start, [...at, 'start']),
      body: plan,
      until: inner.ask(until(state, iteration), [...at, 'until']),
    })
  }

  revise(when: unknown): void {
    this.revising = when
  }

  /** The plan as it was built; not checked yet. */
  finish(result: unknown): object {
    this.isOpen = false
    const output = this.fill(result, [...this.at, 'output'])
    return { nodes: this.nodes, output, ...(this.revising === undefined ? {} : { revise: this.revising }) }
  }

  private refTo(form: '$item' | '$index' | '$state' | '$iteration' | '$output', scope: object): Ref<unknown> {
    return makeRef({ graph: this, form, scope, path: [] })
  }

  private fill(value: unknown, path: Path, place: Omit<Place, 'graph'> = {}): Template {
    return toTemplate(value, { graph: this, ...place }, path)
  }

  private ask(when: unknown, path: Path): Condition {
    return conditionOf(when, (value, at) => this.fill(value, at), path)
  }

  /** Checks an id where it is given, so that the error's stack leads there. The path of the new node. */
  private begin(id: string): Path {
    const at = [...this.at, 'nodes', this.nodes.length]
    if (!this.isOpen) {
      const message = `The node ${quote(id)} comes too late: the plan is made when the function that plans it returns.`
      throw planInvalid([problem('plan_closed', this.at, message)])
    }
    if (this.looping !== undefined) {
      const message = `The node ${quote(id)} is inside the loop "${this.looping}"; add it to the graph that the loop's function is given.`
      throw planInvalid([problem('foreign_reference', at, message)])
    }
    if (typeof id !== 'string' || !isNodeId(id)) throw planInvalid([problem('illegal_id', [...at, 'id'], illegalId)])
    if (this.ids.has(id)) {
      const message = `Another node is already called "${id}"; give each node its own id.`
      throw planInvalid([problem('duplicate_id', [...at, 'id'], message)])
    }
    return at
  }

  /** Options go in as they are: checkGraph knows which there are and refuses the others. */
  private add(id: string, kind: NodeKind, options: AnyOptions = {}, own: Record<string, unknown>): Ref<unknown> {
    const { after, when, compensate, ...others } = options
    const at = [...this.at, 'nodes', this.nodes.length]
    const asked = when === undefined ? [] : [this.ask(when, [...at, 'when'])]
    const conditions = [...this.ways, ...asked]
    const [only] = conditions
    // First for the order of the keys, last so that no option can stand in their place.
    const node = { id, kind, ...own }
    this.nodes.push({
      ...node,
      ...others,
      ...(after === undefined ? {} : { after: after.map((ref, nth) => this.nodeOf(ref, [...at, 'after', nth])) }),
      ...(only === undefined ? {} : { when: conditions.length === 1 ? only : { all: conditions } }),
      ...(compensate === undefined ? {} : { compensate: this.undoing(compensate, [...at, 'compensate']) }),
      ...node,
    })
    this.ids.add(id)
    return makeRef({ graph: this, form: '$ref', scope: this, path: [id] })
  }

  private undoing(compensate: NonNullable<AnyOptions['compensate']>, path: Path): object {
    const scope = {}
    const { tool, input } = compensate(
      this.refTo('$output', scope),
      this.refTo('$item', scope),
      this.refTo('$index', scope),
    )
    this.named.tools.add(tool.name)
    return { tool: tool.name, input: this.fill(input, [...path, 'input'], { map: scope, undoing: scope }) }
  }

  /** The id of the node that a reference leads to, whichever part of its output. */
  private nodeOf(ref: unknown, path: Path): string {
    const target = targetOf(ref)
    const id = target?.form === '$ref' ? target.path[0] : target?.cases?.of
    if (id === undefined || target?.graph !== this) {
      const message = 'after takes references to nodes of this plan.'
      throw planInvalid([problem('foreign_reference', path, message)])
    }
    return id as string
  }
}
