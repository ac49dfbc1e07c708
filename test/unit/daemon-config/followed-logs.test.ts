import { expect, test } from 'vitest'
import { followedFiles, patternList } from '../../../edge-daemon/config/followed-logs.ts'
import { loadConfig } from '../../../edge-daemon/config/load.ts'

const BARE = { source: null, format: 'auto', multiline: null }

test('reads log files from a file, the path alone or all of it', () => {
  const raw = ['/var/log/a.log', { path: '/var/log/b/*.log', source: 'b', format: 'json', multiline: '^[0-9]{4}-' }]
  expect(followedFiles().read(raw)).toEqual({
    ok: true,
    value: [
      { path: '/var/log/a.log', ...BARE },
      { path: '/var/log/b/*.log', source: 'b', format: 'json', multiline: '^[0-9]{4}-' },
    ],
  })
})

test('reads them from a variable, as paths or as JSON, and shows them as one could write them', () => {
  const paths = followedFiles().read('/a.log, /b.log')
  expect(paths).toEqual({
    ok: true,
    value: [
      { path: '/a.log', ...BARE },
      { path: '/b.log', ...BARE },
    ],
  })
  const shown = followedFiles().show([{ path: '/a.log', source: 'a', format: 'klog', multiline: null }])
  expect(followedFiles().read(shown)).toEqual({
    ok: true,
    value: [{ path: '/a.log', source: 'a', format: 'klog', multiline: null }],
  })
})

test.each([
  [[{ path: 'logs/a.log' }], 'expected an absolute path, such as /var/log/app.log'],
  [[{ path: '/a.log', sources: 'x' }], /^unknown key sources; expected a list/],
  [[{ path: '/a.log', format: 'xml' }], 'expected a format of auto, json, logfmt, klog, plain'],
  [[{ path: '/a.log', multiline: '(?=x)' }], /^multiline: /],
])('refuses %j', (raw, message) => {
  expect(followedFiles().read(raw)).toMatchObject({ ok: false, message: expect.stringMatching(message) })
})

test('a pattern that cannot be matched in linear time is refused at its place in the file', () => {
  expect(patternList().read(['tok_[a-z]+'])).toEqual({ ok: true, value: ['tok_[a-z]+'] })
  const text = 'logs:\n  redact:\n    - ok\n    - "(a)\\\\1"\n'
  expect(() => loadConfig({ file: { name: 'd.yaml', text }, env: {}, flags: {} })).toThrow(/d\.yaml:4/)
})
