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

/** What a request is answered with; a `Problem` is thrown where it fails. */
export async function answer<T>(asked: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  let result: Awaited<typeof asked>
  try {
    result = await asked
  } catch (thrown) {
    if (thrown instanceof DOMException && thrown.name === 'AbortError') throw thrown
    throw Problem.from(thrown)
  }
  if (!result.response.ok) throw Problem.of(result.response, result.error)
  return result.data as T
}
