import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { pulse } from './pulse'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test('the first is at once, and a flood is four a second', async () => {
  let beats = 0
  const heart = pulse(250, () => {
    beats += 1
  })
  heart.ask()
  expect(beats).toBe(1)
  for (let ms = 0; ms < 1000; ms += 5) {
    heart.ask()
    await vi.advanceTimersByTimeAsync(5)
  }
  expect(beats).toBe(5)
})

test('what is asked during a beat is done after it', async () => {
  const log: string[] = []
  const heart = pulse(10, async () => {
    log.push('begin')
    await new Promise(resolve => setTimeout(resolve, 100))
    log.push('end')
  })
  heart.ask()
  heart.ask()
  await vi.advanceTimersByTimeAsync(99)
  expect(log).toEqual(['begin'])
  await vi.advanceTimersByTimeAsync(200)
  expect(log).toEqual(['begin', 'end', 'begin', 'end'])
})

test('nothing beats after the stop', async () => {
  let beats = 0
  const heart = pulse(10, () => {
    beats += 1
  })
  heart.ask()
  heart.ask()
  heart.stop()
  await vi.advanceTimersByTimeAsync(100)
  expect(beats).toBe(1)
})
