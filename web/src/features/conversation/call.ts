import type { Schemas } from '~/api/client'

// A tool call in one line: what it was called with, and what came of it.

type Input = Record<string, unknown>

function fields(input: unknown): Input {
  return input && typeof input === 'object' && !Array.isArray(input) ? (input as Input) : {}
}

function word(input: Input, key: string): string | undefined {
  const value = input[key]
  return typeof value === 'string' ? value : undefined
}

/** How many lines a text has; what ends it is no line. */
export function lines(text: string | undefined): number {
  if (!text) return 0
  let n = 0
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) n += 1
  return text.endsWith('\n') ? n : n + 1
}

/** A path below the worktree, without what all of them begin with. */
export function relative(text: string, worktree?: string | null): string {
  return worktree ? text.replaceAll(`${worktree}/`, '') : text
}

function oneLine(text: string): string {
  return text.slice(0, 400).replace(/\s+/g, ' ').trim()
}

/** What stands in the line of most tools, by the name of the argument: the first that is there. */
const TELLING = ['command', 'file_path', 'notebook_path', 'path', 'url', 'query', 'description', 'text']

/** The essential argument of a call. */
export function gist(tool: string, input: unknown, worktree?: string | null): string {
  const given = fields(input)
  const path = word(given, 'path')
  const pattern = word(given, 'pattern')
  if ((tool === 'Grep' || tool === 'Glob') && pattern) {
    return oneLine(relative(path ? `${pattern} in ${path}` : pattern, worktree))
  }
  if (tool === 'TodoWrite' && Array.isArray(given.todos)) return `${given.todos.length} items`
  if (tool === 'Task' && word(given, 'description')) return oneLine(word(given, 'description') ?? '')
  const telling = TELLING.map(key => word(given, key)).find(Boolean)
  if (telling) return oneLine(relative(telling, worktree))
  return Object.keys(given).length > 0 || (input && typeof input !== 'object')
    ? oneLine(relative(JSON.stringify(input), worktree))
    : ''
}

/** Lines that an edit adds and removes. */
export interface Size {
  added: number
  removed: number
}

/** What an editing tool changes, as far as its input tells. */
export function size(tool: string, input: unknown): Size | undefined {
  const given = fields(input)
  if (tool === 'Edit') return { added: lines(word(given, 'new_string')), removed: lines(word(given, 'old_string')) }
  if (tool === 'Write') return { added: lines(word(given, 'content')), removed: 0 }
  if (tool === 'MultiEdit' && Array.isArray(given.edits)) {
    const edits = given.edits.map(fields)
    return {
      added: edits.reduce((sum, edit) => sum + lines(word(edit, 'new_string')), 0),
      removed: edits.reduce((sum, edit) => sum + lines(word(edit, 'old_string')), 0),
    }
  }
  return undefined
}

/** What came of a call, in a word or two. */
export function outcome(tool: string, result: string | undefined, failed: boolean): string {
  if (result === undefined) return ''
  if (failed) {
    const code = /^Exit code (\d+)/.exec(result)
    return code ? `exit ${code[1]}` : 'failed'
  }
  if (['Edit', 'Write', 'MultiEdit', 'NotebookEdit', 'TodoWrite'].includes(tool)) return ''
  const n = lines(result)
  return n === 0 ? 'no output' : n === 1 ? '1 line' : `${n.toLocaleString('en-US')} lines`
}

/** What a call was given, as text to read: a command as it is, an edit as lines, anything else as JSON. */
export function given(tool: string, input: unknown): { kind: 'text' | 'diff' | 'json'; text: string } {
  const all = fields(input)
  const command = word(all, 'command')
  if (command !== undefined && Object.keys(all).every(key => ['command', 'description', 'timeout'].includes(key))) {
    return { kind: 'text', text: command }
  }
  if (tool === 'Edit') {
    const mark = (text: string | undefined, sign: string) =>
      text
        ? `${text
            .replace(/\n$/, '')
            .split('\n')
            .map(line => `${sign}${line}`)
            .join('\n')}\n`
        : ''
    return { kind: 'diff', text: mark(word(all, 'old_string'), '-') + mark(word(all, 'new_string'), '+') }
  }
  if (tool === 'Write' && word(all, 'content') !== undefined) return { kind: 'text', text: word(all, 'content') ?? '' }
  if (tool === 'Read' && Object.keys(all).length === 1) return { kind: 'text', text: word(all, 'file_path') ?? '' }
  return { kind: 'json', text: JSON.stringify(input, null, 2) ?? '' }
}

/** What an agent is allowed to do without asking, in words. */
export const PERMISSION_WORDS: Record<Schemas['PermissionMode'], string> = {
  bypass: 'asks for nothing',
  acceptEdits: 'asks before it runs commands',
  ask: 'asks before it acts',
}
