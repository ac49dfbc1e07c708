import { expect, test } from 'vitest'
import { chooseVariant, toMeasure, type VariantQuestion } from '../../../edge-daemon/shadow/variant-choice.ts'
import type { ManifestVariant } from '../../../protocol/model-manifest.ts'

function variant(name: string, accuracyPct?: number, freeMemoryBytes?: number): ManifestVariant {
  return {
    name,
    file: `${name}.onnx`,
    sha256: '0'.repeat(64),
    bytes: 1,
    precision: name.startsWith('int8') ? 'int8' : 'fp32',
    need: freeMemoryBytes === undefined ? {} : { freeMemoryBytes },
    ...(accuracyPct === undefined ? {} : { accuracyPct }),
  }
}

function question(changes: Partial<VariantQuestion> = {}): VariantQuestion {
  return {
    variants: [variant('fp32', 99.3), variant('int8', 99.2)],
    wanted: 'auto',
    maxAccuracyLoss: 0.5,
    freeBytes: 1e9,
    measured: { fp32: { runMs: 1 }, int8: { runMs: 2 } },
    ...changes,
  }
}

const whyOf = (asked: VariantQuestion, name: string) => chooseVariant(asked).figures[name]?.why

test('the faster one serves, whatever it is called', () => {
  expect(chooseVariant(question())).toEqual({
    variant: 'fp32',
    figures: {
      fp32: { runMs: 1, isChosen: true, why: 'the fastest within 0.5 points of accuracy' },
      int8: { runMs: 2, isChosen: false, why: '2.00 times as long' },
    },
  })
  const other = question({ measured: { fp32: { runMs: 1 }, int8: { runMs: 0.8 } } })
  expect(chooseVariant(other).variant).toBe('int8')
  expect(whyOf(other, 'fp32')).toBe('1.25 times as long')
})

test('of two that are as fast the more accurate serves', () => {
  expect(chooseVariant(question({ measured: { fp32: { runMs: 1.01 }, int8: { runMs: 1 } } })).variant).toBe('fp32')
})

test('one that loses too much accuracy does not serve and is not measured', () => {
  const asked = question({
    variants: [variant('fp32', 99.3), variant('int8', 98)],
    measured: { fp32: { runMs: 9 }, int8: { runMs: 1 } },
  })
  expect(chooseVariant(asked).variant).toBe('fp32')
  expect(whyOf(asked, 'int8')).toBe('1.30 points less accurate, 0.5 are allowed')
  expect(toMeasure(asked)).toEqual([])
  expect(chooseVariant({ ...asked, maxAccuracyLoss: 1.3 }).variant).toBe('int8')
})

test('one whose accuracy nobody told serves only where it is the first', () => {
  const asked = question({ variants: [variant('fp32', 99.3), variant('int8')] })
  expect(toMeasure(asked)).toEqual([])
  expect(whyOf(asked, 'int8')).toBe('its accuracy is not told')
  const first = question({ variants: [variant('int8'), variant('fp32', 99.3)] })
  expect(toMeasure(first).map(({ name }) => name)).toEqual(['int8', 'fp32'])
})

test('one that needs more memory than is free is ruled out; where none fits the first serves', () => {
  const asked = question({ variants: [variant('fp32', 99.3, 2e9), variant('int8', 99.2)] })
  expect(chooseVariant(asked)).toMatchObject({ variant: 'int8', figures: { int8: { why: 'the only one that fits' } } })
  expect(whyOf(asked, 'fp32')).toBe('needs 2000 MB of free memory, 1000 MB are free')
  const none = question({ variants: [variant('fp32', 99.3, 2e9), variant('int8', 99.2, 2e9)] })
  expect(chooseVariant(none).variant).toBe('fp32')
})

test('a pin goes before everything, by name or by precision, and nothing is measured for it', () => {
  for (const wanted of ['int8-static', 'int8']) {
    const asked = question({ wanted, variants: [variant('fp32', 99.3), variant('int8-static', 90, 2e9)] })
    expect(chooseVariant(asked)).toMatchObject({ variant: 'int8-static' })
    expect(whyOf(asked, 'int8-static')).toBe('pinned by models.variant')
    expect(toMeasure(asked)).toEqual([])
  }
})

test('a pin of what a model has not leaves the choice to the measurement, else to the first, and says so', () => {
  expect(chooseVariant(question({ wanted: 'fp16' })).variant).toBe('fp32')
  expect(whyOf(question({ wanted: 'fp16', measured: {} }), 'fp32')).toBe('the first that fits; there is no fp16')
})

test('what cannot be run here does not serve', () => {
  const asked = question({ measured: { fp32: { fault: 'no such operator' }, int8: { runMs: 2 } } })
  expect(chooseVariant(asked).variant).toBe('int8')
  expect(whyOf(asked, 'fp32')).toBe('cannot be run here: no such operator')
})

test('the only one there is serves without a measurement', () => {
  const asked = question({ variants: [variant('fp32')], measured: {} })
  expect(chooseVariant(asked)).toEqual({
    variant: 'fp32',
    figures: { fp32: { runMs: null, isChosen: true, why: 'the only one' } },
  })
})
