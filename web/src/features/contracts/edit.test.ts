import { expect, test } from 'vitest'
import { changesOf, rebased } from './edit'

const seen = { name: 'One', description: 'All about it' }

test('only what differs is changed', () => {
  expect(changesOf(seen, seen)).toEqual({})
  expect(changesOf(seen, { name: ' One ', description: 'Less' })).toEqual({ description: 'Less' })
  expect(changesOf(seen, { name: 'Two', description: '' })).toEqual({ name: 'Two', description: '' })
})

test('what was typed stays, and what was not touched is as it is now', () => {
  const now = { name: 'Theirs', description: 'Theirs' }
  expect(rebased(seen, now, { ...seen, name: 'Mine' })).toEqual({
    typed: { name: 'Mine', description: 'Theirs' },
    both: ['name'],
  })
  expect(rebased(seen, now, seen)).toEqual({ typed: now, both: [] })
})

test('who has changed the same to the same has no quarrel', () => {
  const typed = { ...seen, name: 'Theirs' }
  expect(rebased(seen, { ...seen, name: 'Theirs' }, typed).both).toEqual([])
  expect(rebased(seen, { ...seen, description: 'Theirs' }, typed)).toEqual({
    typed: { name: 'Theirs', description: 'Theirs' },
    both: [],
  })
})
