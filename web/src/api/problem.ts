import type { components } from './schema'

/** The code of an error of the API, or of what comes before any answer. */
export type Code = components['schemas']['Code'] | 'UNREACHABLE' | 'UNREADABLE'

/** Why a request failed, in the API's one shape of an error. */
export class Problem extends Error {
  readonly code: Code
  /** The HTTP status; 0 where there was no answer. */
  readonly status: number
  /** The request, as the server's log has it. */
  readonly requestId: string | undefined

  constructor(code: Code, status: number, message: string, requestId?: string) {
    super(message)
    this.name = 'Problem'
    this.code = code
    this.status = status
    this.requestId = requestId
  }

  /** Of an answer that is no success. */
  static of(response: Response, body: unknown): Problem {
    const said = body as Partial<components['schemas']['ErrorBody']> | undefined
    if (said && typeof said === 'object' && typeof said.message === 'string' && typeof said.code === 'string') {
      return new Problem(said.code, response.status, said.message, said.requestId)
    }
    const id = response.headers.get('x-request-id') ?? undefined
    return new Problem('UNREADABLE', response.status, `The server answered ${response.status}, without a reason.`, id)
  }

  /** Of anything that was thrown. */
  static from(thrown: unknown): Problem {
    if (thrown instanceof Problem) return thrown
    if (thrown instanceof TypeError) {
      return new Problem('UNREACHABLE', 0, 'The server can’t be reached. Is it running?')
    }
    return new Problem('UNREADABLE', 0, thrown instanceof Error ? thrown.message : String(thrown))
  }
}

/** Whether nothing has the address that was read: no row has this id, or no id is written so. */
export function isAbsent(problem: Problem): boolean {
  return problem.code === 'NOT_FOUND' || problem.code === 'BAD_REQUEST'
}
