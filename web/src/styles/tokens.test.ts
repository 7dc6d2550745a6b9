import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

// Every tone is readable on every surface that it may stand on, in both themes (WCAG 2.2).

const css = readFileSync(new URL('./tokens.css', import.meta.url), 'utf8')
const tokens = new Map<string, [string, string]>()
for (const [, name, light, dark] of css.matchAll(/--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)/g)) {
  if (name && light && dark) tokens.set(name, [light, dark])
}

function luminance(colour: string): number {
  const [r, g, b] = [1, 3, 5].map(at => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

function contrast(a: string, b: string): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number]
  return (light + 0.05) / (dark + 0.05)
}

/** Pairs that are too close, in words. */
function tooClose(front: string[], back: string[], least: number): string[] {
  return front.flatMap(f =>
    back.flatMap(b =>
      ['light', 'dark'].flatMap((theme, n) => {
        const [one, other] = [tokens.get(f)?.[n], tokens.get(b)?.[n]]
        if (!one || !other) return [`${f} or ${b} is no colour`]
        const ratio = contrast(one, other)
        return ratio < least ? [`${f} on ${b}, ${theme}: ${ratio.toFixed(2)}`] : []
      }),
    ),
  )
}

const SURFACES = ['bg', 'surface', 'sunken', 'raised', 'hover', 'selected']

test('text is readable on every surface', () => {
  expect(tooClose(['ink', 'ink-2', 'ink-3', 'accent'], SURFACES, 4.5)).toEqual([])
})

test('every status is readable on every surface', () => {
  const statuses = ['running', 'waiting', 'done', 'failed', 'interrupted', 'cancelled', 'add', 'del']
  expect(tooClose(statuses, SURFACES, 4.5)).toEqual([])
})

test('what stands on a wash or on the accent is readable', () => {
  expect(tooClose(['waiting'], ['waiting-wash'], 4.5)).toEqual([])
  expect(tooClose(['failed', 'ink', 'ink-2', 'ink-3'], ['failed-wash'], 4.5)).toEqual([])
  expect(tooClose(['on-accent'], ['accent-fill', 'accent-over'], 4.5)).toEqual([])
  expect(tooClose(['ink'], ['add-bg', 'del-bg'], 4.5)).toEqual([])
})

test('the borders of what is filled in are seen', () => {
  expect(tooClose(['edge'], ['bg', 'surface', 'raised'], 3)).toEqual([])
})
