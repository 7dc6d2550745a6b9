import { expect, test } from 'vitest'
import { gist, given, lines, outcome, size } from './call'

const worktree = '/data/worktrees/1'

test('a line says the essential argument of its call', () => {
  expect([
    gist('Bash', { command: 'cargo\n  test', description: 'Test' }, worktree),
    gist('Read', { file_path: '/data/worktrees/1/src/a.rs' }, worktree),
    gist('Read', { file_path: '/data/worktrees/12/a.rs' }, worktree),
    gist('Grep', { pattern: 'fn main', path: '/data/worktrees/1/src' }, worktree),
    gist('TodoWrite', { todos: [1, 2] }),
    gist('mcp__x__y', { a: [1] }),
    gist('Odd', {}),
    gist('Odd', null),
    gist('Bash', { command: 7 }),
    gist('Bash', { command: 'x'.repeat(1000) }).length,
  ]).toEqual([
    'cargo test',
    'src/a.rs',
    '/data/worktrees/12/a.rs',
    'fn main in src',
    '2 items',
    '{"a":[1]}',
    '',
    '',
    '{"command":7}',
    400,
  ])
})

test('an edit tells its size', () => {
  expect(size('Edit', { old_string: 'a', new_string: 'b\nc' })).toEqual({ added: 2, removed: 1 })
  expect(size('Write', { content: '1\n2\n3\n' })).toEqual({ added: 3, removed: 0 })
  expect(size('MultiEdit', { edits: [{ old_string: 'a', new_string: '' }, { new_string: 'x\ny' }] })).toEqual({
    added: 2,
    removed: 1,
  })
  expect(size('Bash', { command: 'ls' })).toBeUndefined()
})

test('what came of it is a word or two', () => {
  expect([
    outcome('Bash', undefined, false),
    outcome('Bash', '', false),
    outcome('Bash', 'one\n', false),
    outcome('Bash', 'Exit code 101\nerror', true),
    outcome('Bash', 'The user refused', true),
    outcome('Edit', 'Edited', false),
    outcome('Read', 'a\nb\nc', false),
  ]).toEqual(['', 'no output', '1 line', 'exit 101', 'failed', '', '3 lines'])
})

test('a command is read as it is, an edit as lines, anything else as JSON', () => {
  expect(given('Bash', { command: 'a\nb', description: 'd' })).toEqual({ kind: 'text', text: 'a\nb' })
  expect(given('Edit', { old_string: 'a\n', new_string: 'b\nc' })).toEqual({ kind: 'diff', text: '-a\n+b\n+c\n' })
  expect(given('Odd', { a: 1 })).toEqual({ kind: 'json', text: '{\n  "a": 1\n}' })
  // What else a command was given isn't left out.
  expect(given('Bash', { command: 'a', sandbox: false }).kind).toBe('json')
})

test('what ends a text is no line', () => {
  expect([undefined, '', 'a', 'a\n', 'a\nb', '\n\n'].map(lines)).toEqual([0, 0, 1, 1, 2, 2])
})
