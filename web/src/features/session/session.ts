import type { QueryClient } from '@tanstack/react-query'
import { answer, api } from '~/api/client'
import { Problem } from '~/api/problem'
import { meQuery } from '~/api/queries'
import { Store } from '~/lib/store'

// Who has no session goes to the sign-in, and from there to where they wanted to.

const KEY = 'makima.to'

/** Why the last sign-in link was not taken. */
export const refused = new Store<Problem | undefined>(undefined)

/** Signs in by the token of a one-time link. Answers whether it was taken; `refused` says why not. */
export async function signIn(client: QueryClient, token: string): Promise<boolean> {
  try {
    const me = await answer(api.POST('/api/v1/session', { body: { token } }))
    refused.set(undefined)
    client.clear()
    client.setQueryData(meQuery.queryKey, me)
    return true
  } catch (thrown) {
    refused.set(Problem.from(thrown))
    return false
  }
}

/** A path of ours; anything else would lead elsewhere after the sign-in. */
export function ownPath(to: unknown): string | undefined {
  return typeof to === 'string' && /^\/(?![/\\])/.test(to) && !to.startsWith('/sign-in') ? to : undefined
}

/** Keeps where one wanted to: the link is often opened in another tab. */
export function keepWish(to: string): void {
  try {
    localStorage.setItem(KEY, to)
  } catch {
    // Without storage one gets to the first page.
  }
}

/** Where one wanted to, once. */
export function takeWish(): string | undefined {
  try {
    const to = ownPath(localStorage.getItem(KEY))
    localStorage.removeItem(KEY)
    return to
  } catch {
    return undefined
  }
}
