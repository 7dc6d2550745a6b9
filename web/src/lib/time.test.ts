import { expect, test } from 'vitest'
import { ago, clock, duration } from './time'

const now = new Date(2026, 10, 20, 14, 30, 0)
const before = (ms: number) => new Date(now.getTime() - ms).toISOString()

test('how long is told in the two units that matter', () => {
  expect([0, 400, 6400, 48_000, 6 * 60_000, 72 * 60_000, 3_600_000, 76 * 3_600_000].map(duration)).toEqual([
    '0 s',
    '0.4 s',
    '6.4 s',
    '48 s',
    '6 min',
    '1 h 12 min',
    '1 h',
    '3 d 4 h',
  ])
})

test('when is told as far away as it is', () => {
  const hour = 3_600_000
  expect(
    [5000, 6 * 60_000, 3 * hour, 13 * hour, 20 * hour, 60 * hour, 400 * 24 * hour].map(ms =>
      ago(before(ms), now.getTime()),
    ),
  ).toEqual(['now', '6 min', '3 h', '13 h', 'yesterday', '18 Nov', '16 Oct 2025'])
})

test('a clock that is ahead of ours says now', () => {
  expect(ago(before(-60_000), now.getTime())).toBe('now')
})

test('the time of day has two digits each', () => {
  expect(clock(new Date(2026, 0, 2, 3, 4, 5).toISOString())).toBe('03:04:05')
})
