import { expect, test } from 'vitest'
import { byTag, type Description, fitting, typeOf, who } from './description'

const description: Description = {
  info: { title: 'Makima', version: '1' },
  security: [{ bearer: [] }],
  paths: {
    '/tasks': {
      get: { tags: ['tasks'], operationId: 'list_tasks', summary: 'The tasks' },
      post: { tags: ['tasks'], summary: 'Makes a task', 'x-who': 'The owner’s key.' },
    },
    '/healthz': { get: { summary: 'Lives', security: [] } },
  },
  components: { securitySchemes: { bearer: { type: 'http', description: 'An API key' } } },
}

test('operations stand by what they are about', () => {
  expect(byTag(description).map(([tag, routes]) => [tag, routes.map(({ id, method }) => `${method} ${id}`)])).toEqual([
    ['other', ['GET get-/healthz']],
    ['tasks', ['GET list_tasks', 'POST post-/tasks']],
  ])
})

test('all words have to fit', () => {
  const found = (words: string) =>
    fitting(byTag(description), words).flatMap(([, routes]) => routes.map(({ id }) => id))
  expect([found('tasks'), found('post task'), found('get health'), found('nothing'), found('').length]).toEqual([
    ['list_tasks', 'post-/tasks'],
    ['post-/tasks'],
    ['get-/healthz'],
    [],
    3,
  ])
})

test('a type is told in a line', () => {
  const told = (schema: Parameters<typeof typeOf>[0]) =>
    typeOf(schema)
      .map(piece => ('text' in piece ? piece.text : `<${piece.shape}>`))
      .join('')
  expect([
    told({ type: 'string', format: 'uuid' }),
    told({ type: 'integer', format: 'int32', minimum: 1, maximum: 1000 }),
    told({ type: ['string', 'null'] }),
    told({ type: 'array', items: { $ref: '#/components/schemas/Task' } }),
    told({ oneOf: [{ type: 'null' }, { $ref: '#/components/schemas/Question' }] }),
    told({ type: 'string', enum: ['ask', 'bypass'] }),
    told({ type: 'object', additionalProperties: { type: 'integer', format: 'int64' } }),
    told({}),
    told(undefined),
  ]).toEqual([
    'string (uuid)',
    'integer, 1 to 1000',
    'string',
    '<Task>[]',
    '<Question>',
    '"ask" | "bypass"',
    '{ [name]: integer }',
    'any',
    'any',
  ])
})

test('who may call is told for each', () => {
  const routes = byTag(description).flatMap(([, each]) => each)
  expect(routes.map(({ operation }) => who(description, operation))).toEqual([
    'Anybody.',
    'An API key.',
    'The owner’s key.',
  ])
})
