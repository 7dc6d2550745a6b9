import type { Contract, Conversation, Message, Task } from './client'
import type { ContractFilter, TaskFilter } from './queries'

// How what is known changes by one row, or by messages: from values to values.

/** The pages of a list, as react-query keeps them. */
export interface Pages<P> {
  pages: P[]
  pageParams: unknown[]
}

interface Row {
  id: string
  createdAt: string
}

/** Whether a task belongs into a list; undefined where only the server can say. */
export function taskBelongs(filter: TaskFilter, task: Task): boolean | undefined {
  if (filter.status && !filter.status.includes(task.status)) return false
  if (filter.contractId && filter.contractId !== task.contractId) return false
  if (filter.loose && task.contractId) return false
  return filter.q ? undefined : true
}

/** Whether a contract belongs into a list; undefined where only the server can say. */
export function contractBelongs(filter: ContractFilter, contract: Contract): boolean | undefined {
  if (filter.status && filter.status !== contract.status) return false
  return filter.q ? undefined : true
}

/**
 * The pages with `row` as it is now: changed where it stands, gone where it doesn't belong any more, put in by its age where
 * it is new. Lists are newest first. The same pages where nothing changes.
 */
export function withRow<K extends string, R extends Row>(
  list: Pages<{ [key in K]: R[] } & { totalCount: number; cursor?: string | null }>,
  key: K,
  row: R,
  belongs: boolean | undefined,
): typeof list {
  const at = list.pages.findIndex(page => page[key].some(each => each.id === row.id))
  if (at >= 0) {
    const change = (rows: R[]) =>
      belongs === false ? rows.filter(each => each.id !== row.id) : rows.map(each => (each.id === row.id ? row : each))
    return pagesWith(list, key, at, change, belongs === false ? -1 : 0)
  }
  if (!belongs) return list
  const older = list.pages.findIndex(page => page[key].some(each => each.createdAt < row.createdAt))
  if (older >= 0) {
    const put = (rows: R[]) => {
      const before = rows.findIndex(each => each.createdAt < row.createdAt)
      return [...rows.slice(0, before), row, ...rows.slice(before)]
    }
    return pagesWith(list, key, older, put, 1)
  }
  // Older than all that is here: it is on a page that isn't loaded yet, or the last of the last.
  const last = list.pages.length - 1
  if (last < 0 || list.pages[last]?.cursor) return list
  return pagesWith(list, key, last, rows => [...rows, row], 1)
}

function pagesWith<K extends string, R extends Row>(
  list: Pages<{ [key in K]: R[] } & { totalCount: number; cursor?: string | null }>,
  key: K,
  at: number,
  change: (rows: R[]) => R[],
  more: number,
): typeof list {
  const pages = list.pages.map((page, n) => ({
    ...page,
    totalCount: page.totalCount + more,
    ...(n === at ? { [key]: change(page[key]) } : {}),
  }))
  return { ...list, pages }
}

/**
 * The conversation with messages that the feed told. `whole` is false where one is missing in between, or where another
 * message stands in its place: then it has to be read anew.
 */
export function withMessages(
  conversation: Conversation,
  told: Message[],
): { conversation: Conversation; whole: boolean } {
  const messages = conversation.messages.slice()
  for (const message of told) {
    const there = messages[message.index]
    if (there && there.id !== message.id) return { conversation, whole: false }
    if (!there && message.index !== messages.length) return { conversation, whole: false }
    messages[message.index] = message
  }
  return { conversation: { ...conversation, messages }, whole: true }
}
