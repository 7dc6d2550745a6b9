import { expect, test } from 'vitest'
import { bounded, plain } from './plain'

test('nothing that moves or colours a terminal is left', () => {
  const text = '\u001b[31mred\u001b[0m \u001b]0;title\u0007bell\u0007 \u001b[2Kline\r\nnext\ttab\u0000'
  expect(plain(text)).toBe('red bell line\nnext\ttab')
})

test('a long text is cut after whole lines, and says how many follow', () => {
  expect(bounded('1\n2\n3\n4\n', 2)).toEqual({ text: '1\n2', more: 2 })
  expect(bounded('1\n2\n', 2)).toEqual({ text: '1\n2\n', more: 0 })
  expect(bounded('', 2)).toEqual({ text: '', more: 0 })
})

test('one endless line is cut too', () => {
  expect(bounded('x'.repeat(100), 5, 10)).toEqual({ text: 'xxxxxxxxxx…', more: 1 })
})
