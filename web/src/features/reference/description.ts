// The API's description of itself (OpenAPI 3.1), as far as it is shown: from values to values.

export interface Schema {
  $ref?: string
  type?: string | string[]
  format?: string
  description?: string
  enum?: unknown[]
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
  additionalProperties?: boolean | Schema
  oneOf?: Schema[]
  anyOf?: Schema[]
  allOf?: Schema[]
  minimum?: number
  maximum?: number
  default?: unknown
}

export interface Operation {
  tags?: string[]
  operationId?: string
  summary?: string
  description?: string
  parameters?: Parameter[]
  requestBody?: { description?: string; required?: boolean; content?: Content }
  responses?: Record<string, { description?: string; content?: Content }>
  security?: Record<string, string[]>[]
  'x-who'?: string
}

export interface Parameter {
  name: string
  in: string
  required?: boolean
  description?: string
  schema?: Schema
}

type Content = Record<string, { schema?: Schema }>

export interface Description {
  info: { title: string; description?: string; version: string }
  paths: Record<string, Record<string, Operation>>
  components?: {
    schemas?: Record<string, Schema>
    securitySchemes?: Record<
      string,
      { type: string; scheme?: string; in?: string; name?: string; description?: string }
    >
  }
  security?: Record<string, string[]>[]
  tags?: { name: string; description?: string }[]
}

/** One operation, with where it stands. */
export interface Route {
  id: string
  method: string
  path: string
  operation: Operation
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete']

/** The operations by what they are about, in the order of the description. */
export function byTag(description: Description): [string, Route[]][] {
  const tags = new Map<string, Route[]>()
  for (const [path, methods] of Object.entries(description.paths)) {
    for (const method of METHODS) {
      const operation = methods[method]
      if (!operation) continue
      const tag = operation.tags?.[0] ?? 'other'
      const id = operation.operationId ?? `${method}-${path}`
      tags.set(tag, [...(tags.get(tag) ?? []), { id, method: method.toUpperCase(), path, operation }])
    }
  }
  return [...tags].sort(([a], [b]) => a.localeCompare(b))
}

/** The operations that have all the words, in their path, name or summary. */
export function fitting(tags: [string, Route[]][], words: string): [string, Route[]][] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean)
  return tags
    .map(([tag, routes]): [string, Route[]] => [
      tag,
      routes.filter(({ method, path, operation }) => {
        const text = `${method} ${path} ${operation.summary ?? ''} ${tag}`.toLowerCase()
        return wanted.every(word => text.includes(word))
      }),
    ])
    .filter(([, routes]) => routes.length > 0)
}

/** The name of a shape that is told elsewhere. */
export function named(schema: Schema): string | undefined {
  return schema.$ref?.replace('#/components/schemas/', '')
}

/** A piece of a type: words, or the name of a shape. */
export type Piece = { text: string } | { shape: string }

/** A type in a line: `string (uuid)`, `Task[]`, `integer, 1 to 1000`, `"ask" | "bypass"`. */
export function typeOf(schema: Schema | undefined): Piece[] {
  if (!schema) return [{ text: 'any' }]
  const name = named(schema)
  if (name) return [{ shape: name }]
  if (schema.enum) return [{ text: schema.enum.map(value => JSON.stringify(value)).join(' | ') }]
  const several = schema.oneOf ?? schema.anyOf ?? (schema.allOf?.length === 1 ? schema.allOf : undefined)
  if (several) {
    return several
      .filter(each => each.type !== 'null')
      .flatMap((each, n) => (n === 0 ? typeOf(each) : [{ text: ' | ' }, ...typeOf(each)]))
  }
  const types = (Array.isArray(schema.type) ? schema.type : [schema.type]).filter(type => type && type !== 'null')
  if (types[0] === 'array') return [...typeOf(schema.items), { text: '[]' }]
  if (types[0] === 'object' && typeof schema.additionalProperties === 'object') {
    return [{ text: '{ [name]: ' }, ...typeOf(schema.additionalProperties), { text: ' }' }]
  }
  if (types.length === 0) return [{ text: schema.properties ? 'object' : 'any' }]
  const format = schema.format && !/^(u?int\d*|double|float)$/.test(schema.format) ? ` (${schema.format})` : ''
  return [{ text: `${types.join(' | ')}${format}${bounds(schema)}` }]
}

function bounds({ minimum, maximum }: Schema): string {
  if (minimum !== undefined && maximum !== undefined) return `, ${minimum} to ${maximum}`
  if (minimum !== undefined && minimum !== 0) return `, at least ${minimum}`
  return maximum !== undefined ? `, at most ${maximum}` : ''
}

/** Who may call an operation. */
export function who(description: Description, { security, 'x-who': told }: Operation): string {
  if (told) return told
  const asked = security ?? description.security ?? []
  if (asked.length === 0) return 'Anybody.'
  const schemes = description.components?.securitySchemes ?? {}
  return `${asked
    .flatMap(each => Object.keys(each))
    .map(name => schemes[name]?.description ?? name)
    .join(', or ')}.`
}
