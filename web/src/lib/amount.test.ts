import { expect, test } from 'vitest'
import { counted, dollars, short } from './amount'

test('a cost below a cent is not nothing', () => {
  expect([0, 0.0062, 0.01, 21.418, 1040].map(dollars)).toEqual(['0.00', '0.0062', '0.01', '21.42', '1040.00'])
})

test('numbers keep three digits at most', () => {
  expect([0, 940, 1000, 9949, 9950, 188_200, 999_499, 999_500, 9_949_999, 12_300_000].map(short)).toEqual([
    '0',
    '940',
    '1.0 k',
    '9.9 k',
    '10 k',
    '188 k',
    '999 k',
    '1.0 M',
    '9.9 M',
    '12 M',
  ])
})

test('one is one and more are many', () => {
  expect([counted(1, 'file'), counted(0, 'file'), counted(10_000, 'message')]).toEqual([
    '1 file',
    '0 files',
    '10,000 messages',
  ])
})
