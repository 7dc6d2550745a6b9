// @vitest-environment jsdom
import { beforeEach, expect, test } from 'vitest'
import { keepWish, ownPath, takeWish } from './session'

beforeEach(() => localStorage.clear())

test('one is led to a path of ours and nowhere else', () => {
  expect(
    [
      '/',
      '/tasks/1?x=2#y',
      '//evil.example',
      '/\\evil.example',
      'https://evil.example',
      'javascript:1',
      '/sign-in',
      7,
    ].map(ownPath),
  ).toEqual(['/', '/tasks/1?x=2#y', undefined, undefined, undefined, undefined, undefined, undefined])
})

test('where one wanted to is remembered once', () => {
  keepWish('/tasks/1')
  expect([takeWish(), takeWish()]).toEqual(['/tasks/1', undefined])
})

test('what another wrote into the storage leads nowhere', () => {
  localStorage.setItem('makima.to', '//evil.example')
  expect(takeWish()).toBeUndefined()
})
