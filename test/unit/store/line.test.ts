import { describe, expect, it } from 'vitest'
import { makeLine, seqOfLine, timestampOfLine } from '../../../edge-daemon/store/line.ts'

describe('a line', () => {
  it('is the whole record as JSON, also with an empty body', () => {
    expect(JSON.parse(makeLine(41, '"n1"', 17, '{"code":200}'))).toEqual({
      seq: 41,
      node_id: 'n1',
      timestamp: 17,
      code: 200,
    })
    expect(JSON.parse(makeLine(1, '"n1"', 2, '{}'))).toEqual({ seq: 1, node_id: 'n1', timestamp: 2 })
  })

  it.each(['n1', '","timestamp":5,"x":"', '\\', '{"seq":9', '节点'])(
    'gives back its sequence and time whatever the node is called: %s',
    (name) => {
      const line = makeLine(7, JSON.stringify(name), 1_793_000_000_000, '{"timestamp_":1}')
      expect(seqOfLine(line)).toBe(7)
      expect(timestampOfLine(line)).toBe(1_793_000_000_000)
      expect(JSON.parse(line).node_id).toBe(name)
    },
  )
})
