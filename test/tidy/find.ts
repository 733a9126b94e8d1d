import { isBuiltin } from 'node:module'
import { dirname, join } from 'node:path/posix'
import { parseSync } from 'oxc-parser'
import { ambient, ambientMembers, mayName, packageHomes, pureMembers, ranks } from './rules.ts'

/** Path (from the top of the project) to text. */
export type Files = Readonly<Record<string, string>>

export interface Finding {
  rule:
    | 'layer'
    | 'cycle'
    | 'package'
    | 'export-star'
    | 'default-export'
    | 'inline-type'
    | 'ambient'
    | 'marks'
    | 'focus'
    | 'syntax'
  path: string
  line: number
  message: string
}

interface Import {
  from: string
  specifier: string
  typeOnly: boolean
  start: number
}

type Tree = { type: string; start: number; [key: string]: unknown }

/** Everything that is out of order in source files. */
export function findInSources(files: Files): Finding[] {
  const found: Finding[] = []
  const imports: Import[] = []
  for (const [path, text] of Object.entries(files)) {
    const report = reporter(path, text, found)
    const tree = parse(path, text, report)
    findMarks(text, report)
    walk(tree, (node, parents, key) => {
      const used = importOf(node, path, report)
      if (used) imports.push(used)
      findExports(node, report)
      findAmbient(node, parents, key, path, report)
    })
    for (const used of imports.filter(({ from }) => from === path)) checkImport(used, report)
  }
  for (const cycle of cycles(imports)) {
    const [path = ''] = cycle
    found.push({ rule: 'cycle', path, line: 1, message: `import cycle: ${[...cycle, path].join(' > ')}` })
  }
  return found
}

/** Everything that is out of order in tests: marks, and tests that are switched off or shut out the others. */
export function findInTests(files: Files): Finding[] {
  const found: Finding[] = []
  for (const [path, text] of Object.entries(files)) {
    const report = reporter(path, text, found)
    findMarks(text, report)
    walk(parse(path, text, report), (node) => {
      if (node.type !== 'MemberExpression') return
      const name = memberName(node)
      if (!/^(only|skip|todo|fails)$/.test(name) || !/^(test|it|describe|suite|bench)$/.test(rootName(node))) return
      report('focus', node.start, `${rootName(node)}.${name}`)
    })
  }
  return found
}

type Report = (rule: Finding['rule'], start: number, message: string) => void

function reporter(path: string, text: string, found: Finding[]): Report {
  return (rule, start, message) => found.push({ rule, path, line: text.slice(0, start).split('\n').length, message })
}

function parse(path: string, text: string, report: Report): Tree {
  const { program, errors } = parseSync(path, text)
  for (const error of errors) report('syntax', 0, error.message)
  return program as unknown as Tree
}

// The words are put together here so that this file does not find itself.
const marks = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')})\\b`, 'g')

function findMarks(text: string, report: Report): void {
  for (const mark of text.matchAll(marks)) report('marks', mark.index, `${mark[0]}: finish it or open an issue`)
}

/** `parents` are the nodes around a node, from the inside out. */
type Parents = { node: Tree; parents: Parents } | undefined

function walk(tree: Tree, visit: (node: Tree, parents: Parents, key: string) => void): void {
  const stack: [Tree, Parents, string][] = [[tree, undefined, '']]
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const [node, parents, key] = next
    visit(node, parents, key)
    const around = { node, parents }
    for (const [name, part] of Object.entries(node)) for (const child of trees(part)) stack.push([child, around, name])
  }
}

function trees(part: unknown): Tree[] {
  return (Array.isArray(part) ? part : [part]).filter(isTree)
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && typeof (value as Tree).type === 'string'
}

// Imports and exports

function importOf(node: Tree, from: string, report: Report): Import | undefined {
  const source = node['source'] as { value?: unknown } | null | undefined
  if (!/^(Import|Export)/.test(node.type) || typeof source?.value !== 'string') return undefined
  const kind = node['importKind'] ?? node['exportKind']
  const names = node['specifiers'] as { importKind?: string; exportKind?: string }[] | undefined
  if (kind !== 'type' && names?.length && names.every((name) => (name.importKind ?? name.exportKind) === 'type')) {
    report('inline-type', node.start, `import '${source.value}' stays in the build: write "import type { ... }"`)
  }
  return { from, specifier: source.value, typeOnly: kind === 'type', start: node.start }
}

function findExports(node: Tree, report: Report): void {
  if (node.type === 'ExportAllDeclaration') report('export-star', node.start, 'name what is exported')
  if (node.type === 'ExportDefaultDeclaration') report('default-export', node.start, 'give it a name')
  const exported = node['exported'] as { name?: string } | undefined
  if (node.type === 'ExportSpecifier' && exported?.name === 'default') {
    report('default-export', node.start, 'give it a name')
  }
}

function checkImport({ from, specifier, typeOnly, start }: Import, report: Report): void {
  if (!specifier.startsWith('.')) {
    if (!typeOnly) checkPackage(from, specifier, start, report)
    return
  }
  const to = target(from, specifier)
  const [here, there] = [folder(from), folder(to)]
  if (here === there) return
  const [own, other] = [ranks[here], ranks[there]]
  if (own === undefined || other === undefined) {
    report('layer', start, `${own === undefined ? here : there} has no rank; give it one in test/tidy/rules.ts`)
  } else if (typeOnly ? other > own : other >= own) {
    report(
      'layer',
      start,
      `${here} (rank ${own}) imports ${typeOnly ? 'a type' : 'values'} of ${there} (rank ${other})`,
    )
  }
}

function checkPackage(from: string, specifier: string, start: number, report: Report): void {
  if (isBuiltin(specifier)) {
    if (!mayName(from, specifier)) report('ambient', start, `import of ${specifier}`)
    return
  }
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
  const home = packageHomes[name]
  if (home && !home.test(from)) report('package', start, `${name} may only be loaded by ${home.source}`)
}

function target(from: string, specifier: string): string {
  return join(dirname(from), specifier)
}

/** `src/store`, `machines`, or `src` for src/index.ts; deeper folders count as their layer. */
function folder(path: string): string {
  const [top = '', second = '', ...rest] = path.split('/')
  return top === 'src' && rest.length > 0 ? `src/${second}` : top
}

/** Groups of files that import each other, be it only types (Tarjan's strongly connected components). */
function cycles(imports: readonly Import[]): string[][] {
  const edges = new Map<string, Set<string>>()
  for (const { from, specifier } of imports) {
    if (!specifier.startsWith('.')) continue
    edges.set(from, (edges.get(from) ?? new Set()).add(target(from, specifier)))
  }
  const [index, low, stack, found] = [
    new Map<string, number>(),
    new Map<string, number>(),
    [] as string[],
    [] as string[][],
  ]
  const connect = (path: string): void => {
    index.set(path, index.size)
    low.set(path, index.get(path) as number)
    stack.push(path)
    for (const next of edges.get(path) ?? []) {
      if (!index.has(next)) connect(next)
      if (stack.includes(next)) low.set(path, Math.min(low.get(path) as number, low.get(next) as number))
    }
    if (low.get(path) !== index.get(path)) return
    const group = stack.splice(stack.indexOf(path))
    if (group.length > 1 || edges.get(path)?.has(path)) found.push(group.sort())
  }
  for (const path of edges.keys()) if (!index.has(path)) connect(path)
  return found
}

// Globals

function findAmbient(node: Tree, parents: Parents, key: string, path: string, report: Report): void {
  const name = ambientName(node, parents?.node, key)
  if (name === undefined || mayName(path, name)) return
  for (let at = parents; at !== undefined; at = at.parents) if (declares(at.node, name)) return
  report('ambient', node.start, name)
}

function ambientName(node: Tree, parent: Tree | undefined, key: string): string | undefined {
  if (node.type === 'MemberExpression') {
    const name = `${rootName(node)}.${memberName(node)}`
    return ambientMembers.has(name) ? name : undefined
  }
  if (parent?.type === 'MemberExpression' && pureMembers.has(`${rootName(parent)}.${memberName(parent)}`))
    return undefined
  const name = String(node['name'])
  return node.type === 'Identifier' && ambient.has(name) && isValue(parent, key) ? name : undefined
}

/** Whether a scope has a variable of its own with that name, so that the name does not mean the global. */
function declares(scope: Tree, name: string): boolean {
  const statements = /^(Program|BlockStatement)$/.test(scope.type) ? trees(scope['body']) : []
  const heads = scope.type.startsWith('For') ? [...trees(scope['init']), ...trees(scope['left'])] : []
  const variables = heads.filter((head) => head.type === 'VariableDeclaration')
  const places = [...statements, ...variables, ...trees(scope['params']), ...trees(scope['param'])]
  return places.some((place) => boundNames(place).includes(name))
}

function boundNames(node: Tree): string[] {
  switch (node.type) {
    case 'Identifier':
      return [String(node['name'])]
    case 'ExportNamedDeclaration':
    case 'VariableDeclaration':
      return [...trees(node['declaration']), ...trees(node['declarations'])].flatMap(boundNames)
    case 'ImportDeclaration':
      return trees(node['specifiers']).flatMap((specifier) => trees(specifier['local']).flatMap(boundNames))
    case 'VariableDeclarator':
    case 'FunctionDeclaration':
    case 'ClassDeclaration':
      return trees(node['id']).flatMap(boundNames)
    case 'ObjectPattern':
    case 'ArrayPattern':
      return [...trees(node['properties']), ...trees(node['elements'])].flatMap(boundNames)
    case 'Property':
      return trees(node['value']).flatMap(boundNames)
    case 'AssignmentPattern':
      return trees(node['left']).flatMap(boundNames)
    case 'RestElement':
      return trees(node['argument']).flatMap(boundNames)
    default:
      return []
  }
}

/** Whether an identifier there stands for a value, and is neither a type nor the name of a property. */
function isValue(parent: Tree | undefined, key: string): boolean {
  if (parent === undefined) return false
  if (/^TS(As|Satisfies|NonNull|Instantiation|TypeAssertion)/.test(parent.type)) return key === 'expression'
  if (parent.type.startsWith('TS')) return false
  if (key === 'property' || key === 'key') return parent['computed'] === true
  return !/^(Import|Export)Specifier$/.test(parent.type) || key === 'local'
}

function memberName(node: Tree): string {
  const property = node['property'] as { name?: string; value?: unknown }
  return String(node['computed'] ? property.value : property.name)
}

/** The identifier that a chain of members and calls starts from: `test` of `test.each([1]).only`. */
function rootName(node: Tree): string {
  const inner = (node['object'] ?? node['callee'] ?? node['tag']) as Tree | undefined
  return inner === undefined ? String(node['name']) : rootName(inner)
}
