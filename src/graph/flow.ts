/**
 * Maximum flow from a source to a sink (Dinic 1970), without recursion.
 *
 * F1 Edge e and its reverse e ^ 1 are made together; what flows along e is what is left on e ^ 1.
 * F2 Deterministic: edges are tried in the order in which they were made.
 */
export class Flow {
  private readonly first: Int32Array
  private readonly last: Int32Array
  /** By edge: where it leads, the next edge out of the same vertex, and how much more can flow. */
  private readonly to: number[] = []
  private readonly next: number[] = []
  private readonly left: number[] = []

  constructor(vertices: number) {
    this.first = new Int32Array(vertices).fill(-1)
    this.last = new Int32Array(vertices).fill(-1)
  }

  /** The number of the new edge. */
  edge(from: number, to: number, capacity: number): number {
    const edge = this.to.length
    this.add(from, to, capacity)
    this.add(to, from, 0)
    return edge
  }

  private add(from: number, to: number, capacity: number): void {
    const edge = this.to.length
    this.to.push(to)
    this.next.push(-1)
    this.left.push(capacity)
    const last = this.last[from] as number
    if (last === -1) this.first[from] = edge
    else this.next[last] = edge
    this.last[from] = edge
  }

  /** Lets flow as much as can, or nearly so where that takes too many rounds. */
  fill(source: number, sink: number): void {
    for (let round = 0; round < roundsMax; round += 1) {
      const levels = this.levels(source, sink)
      if (levels === undefined) return
      this.round(source, sink, levels)
    }
  }

  /** Distances from the source along edges that have something left; undefined where the sink is out of reach. */
  private levels(source: number, sink: number): Int32Array | undefined {
    const levels = new Int32Array(this.first.length).fill(-1)
    levels[source] = 0
    const queue = [source]
    for (const vertex of queue) {
      for (let edge = this.first[vertex] as number; edge !== -1; edge = this.next[edge] as number) {
        const to = this.to[edge] as number
        if (this.left[edge] === 0 || levels[to] !== -1) continue
        levels[to] = (levels[vertex] as number) + 1
        queue.push(to)
      }
    }
    return levels[sink] === -1 ? undefined : levels
  }

  /** Sends units along shortest paths until each of those has an edge with nothing left. */
  private round(source: number, sink: number, levels: Int32Array): void {
    const current = this.first.slice()
    const path: number[] = []
    let vertex = source
    for (;;) {
      if (vertex === sink) {
        for (const edge of path) this.push(edge)
        path.length = 0
        vertex = source
        continue
      }
      const edge = this.advance(vertex, current, levels)
      if (edge !== -1) {
        path.push(edge)
        vertex = this.to[edge] as number
        continue
      }
      const back = path.pop()
      if (back === undefined) return
      vertex = this.to[back ^ 1] as number
      // What was behind this edge is used up, for the rest of the round.
      current[vertex] = this.next[back] as number
    }
  }

  private advance(vertex: number, current: Int32Array, levels: Int32Array): number {
    let edge = current[vertex] as number
    while (edge !== -1 && !this.leads(edge, (levels[vertex] as number) + 1, levels)) edge = this.next[edge] as number
    current[vertex] = edge
    return edge
  }

  private leads(edge: number, level: number, levels: Int32Array): boolean {
    return this.left[edge] !== 0 && levels[this.to[edge] as number] === level
  }

  private push(edge: number): void {
    this.left[edge] = (this.left[edge] as number) - 1
    this.left[edge ^ 1] = (this.left[edge ^ 1] as number) + 1
  }

  /** Takes out one unit that flows along `start`, and gives the vertices it passes; none where nothing flows. */
  follow(start: number, sink: number): number[] {
    const path: number[] = []
    let edge = this.left[start ^ 1] === 0 ? -1 : start
    while (edge !== -1) {
      this.push(edge ^ 1)
      const at = this.to[edge] as number
      if (at === sink) break
      path.push(at)
      edge = this.flowing(at)
    }
    return path
  }

  /** The first edge out of `vertex` along which something flows, or -1. Even edges lead forward (F1). */
  private flowing(vertex: number): number {
    let edge = this.first[vertex] as number
    while (edge !== -1 && (edge % 2 === 1 || this.left[edge ^ 1] === 0)) edge = this.next[edge] as number
    return edge
  }
}

/** A bound on the work for plans made to be hard; a cover with some lanes too many is still right. */
const roundsMax = 200
