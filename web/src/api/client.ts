import createClient from 'openapi-fetch'
import { Problem } from './problem'
import type { components, paths } from './schema'

/** The shapes of the API, by name. */
export type Schemas = components['schemas']
export type Task = Schemas['Task']
export type TaskStatus = Schemas['TaskStatus']
export type Contract = Schemas['Contract']
export type ContractStatus = Schemas['ContractStatus']
export type Phase = Schemas['Phase']
export type Daemon = Schemas['Daemon']
export type Message = Schemas['ConversationMessage']
export type Conversation = Schemas['Conversation']
export type Checkpoint = Schemas['Checkpoint']
export type Question = Schemas['Question']
export type Me = Schemas['Me']

export const api = createClient<paths>({
  baseUrl: globalThis.location?.origin,
  // Looked up at each call, so that tests may put theirs in its place.
  fetch: request => globalThis.fetch(request),
  // Lists take several values for one name.
  querySerializer: { array: { style: 'form', explode: true } },
})

type Asked<T> = Promise<{ data?: T; error?: unknown; response: Response }>

/** What is there, and the tag that says which version of it that is. */
export interface Tagged<T> {
  value: T
  tag: string
}

/** What a request is answered with; a `Problem` is thrown where it fails. */
export async function answer<T>(asked: Asked<T>): Promise<T> {
  return (await answered(asked)).data
}

/** The same, with its tag. */
export async function tagged<T>(asked: Asked<T>): Promise<Tagged<T>> {
  const { data, response } = await answered(asked)
  return { value: data, tag: response.headers.get('etag') ?? '*' }
}

async function answered<T>(asked: Asked<T>): Promise<{ data: T; response: Response }> {
  let result: Awaited<typeof asked>
  try {
    result = await asked
  } catch (thrown) {
    if (thrown instanceof DOMException && thrown.name === 'AbortError') throw thrown
    throw Problem.from(thrown)
  }
  if (!result.response.ok) throw Problem.of(result.response, result.error)
  return { data: result.data as T, response: result.response }
}
