import { EdgeError, messageOf } from '../protocol/errors.ts'
import { diskFault } from './disk-fault.ts'
import { type Field, ProtobufReader, type Span } from './protobuf-reader.ts'

/** What is read of an ONNX file without running any of it. */
export interface OnnxGraph {
  readonly irVersion: number
  /** Version of ONNX's own operators. */
  readonly opset: number
  /** Operators and how often each is there, those of graphs within graphs too. */
  readonly operators: Readonly<Record<string, number>>
}

/** Operators of ONNX itself; "" and "ai.onnx" are the same. Those of others are native code, or read files. */
const DOMAINS = ['', 'ai.onnx', 'ai.onnx.ml']
/** Versions of ONNX's operators that the runtime of this build carries out. */
const OPSETS = { least: 7, most: 26 } as const
/** Deepest graph within a graph (If, Loop, Scan). */
const MAX_DEPTH = 16

/** Field numbers of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. */
const MODEL = { irVersion: 1, graph: 7, opsetImport: 8, functions: 25 } as const
const OPSET = { domain: 1, version: 2 } as const
const GRAPH = { node: 1, initializer: 5, sparseInitializer: 15 } as const
const NODE = { operator: 4, attribute: 5, domain: 7 } as const
const ATTRIBUTE = { tensor: 5, graph: 6, tensors: 10, graphs: 11, sparse: 22, sparses: 23 } as const
const SPARSE = { values: 1, indices: 2 } as const
const TENSOR = { name: 8, externalData: 13, dataLocation: 14 } as const

/**
 * Look at an ONNX file before a runtime does: its graph, and those within it, must use operators of ONNX alone, hold all
 * their weights themselves, and be of a version that is known.
 *
 * @throws EdgeError `MODEL_INVALID` with what is wrong and the cure.
 */
export function inspectOnnx(path: string): OnnxGraph {
  let reader: ProtobufReader | null = null
  try {
    reader = new ProtobufReader(path)
    return new Inspection(path, reader).model()
  } catch (error) {
    if (error instanceof EdgeError) throw error
    throw (
      diskFault(path, error) ??
      unfit(path, `is no ONNX model: ${messageOf(error)}`, 'export the model again, as ONNX', error)
    )
  } finally {
    reader?.close()
  }
}

class Inspection {
  readonly #path: string
  readonly #reader: ProtobufReader
  readonly #operators = new Map<string, number>()

  constructor(path: string, reader: ProtobufReader) {
    this.#path = path
    this.#reader = reader
  }

  model(): OnnxGraph {
    const { whole } = this.#reader
    // The runtime also takes a format of its own, which nothing here has looked into.
    if (whole.end >= 8 && this.#reader.bytes({ start: 4, end: 8 }).toString('latin1') === 'ORTM') {
      throw unfit(this.#path, "is a model in ONNX Runtime's own format", 'pack the ONNX file that it was made from')
    }
    let irVersion = 0
    let opset = 0
    let graphs = 0
    for (const field of this.#reader.fields(whole)) {
      if (field.kind === 'varint' && field.number === MODEL.irVersion) irVersion = field.value
      if (field.kind !== 'bytes') continue
      if (field.number === MODEL.graph) {
        graphs += 1
        this.#graph(field.span, 0)
      } else if (field.number === MODEL.opsetImport) {
        const { domain, version } = this.#opset(field.span)
        if (domain === '' || domain === 'ai.onnx') opset = version
      } else if (field.number === MODEL.functions) {
        throw unfit(
          this.#path,
          'defines functions of its own',
          'write them into the graph (onnx.inliner.inline_local_functions) and pack it again',
        )
      }
    }
    if (irVersion === 0 || graphs === 0) throw new RangeError('it holds no graph')
    if (opset < OPSETS.least || opset > OPSETS.most) {
      throw unfit(
        this.#path,
        opset === 0
          ? 'does not say which opset it is of'
          : `is of opset ${opset}, and ${OPSETS.least} to ${OPSETS.most} are known`,
        `export it with an opset of ${OPSETS.least} to ${OPSETS.most}`,
      )
    }
    return { irVersion, opset, operators: Object.fromEntries(this.#operators) }
  }

  #opset(span: Span): { domain: string; version: number } {
    let domain = ''
    let version = 0
    for (const field of this.#reader.fields(span)) {
      if (field.number === OPSET.domain && field.kind === 'bytes') domain = this.#reader.text(field.span)
      if (field.number === OPSET.version && field.kind === 'varint') version = field.value
    }
    return { domain, version }
  }

  #graph(span: Span, depth: number): void {
    if (depth > MAX_DEPTH) {
      throw unfit(
        this.#path,
        `has graphs within graphs, over ${MAX_DEPTH} deep`,
        'export it without so many branches and loops',
      )
    }
    for (const field of this.#reader.fields(span)) {
      if (field.kind !== 'bytes') continue
      if (field.number === GRAPH.node) this.#node(field.span, depth)
      else if (field.number === GRAPH.initializer) this.#tensor(field.span)
      else if (field.number === GRAPH.sparseInitializer) this.#sparse(field.span)
    }
  }

  #node(span: Span, depth: number): void {
    let operator = ''
    let domain = ''
    for (const field of this.#reader.fields(span)) {
      if (field.kind !== 'bytes') continue
      if (field.number === NODE.operator) operator = this.#reader.text(field.span)
      else if (field.number === NODE.domain) domain = this.#reader.text(field.span)
      else if (field.number === NODE.attribute) this.#attribute(field.span, depth)
    }
    if (!DOMAINS.includes(domain)) {
      throw unfit(
        this.#path,
        `uses the operator ${JSON.stringify(operator.slice(0, 64))} of ${JSON.stringify(domain.slice(0, 64))}, which is not of ONNX itself`,
        'export it with operators of ONNX alone; quantize as QDQ, not with operators of the runtime',
      )
    }
    this.#operators.set(operator, (this.#operators.get(operator) ?? 0) + 1)
  }

  #attribute(span: Span, depth: number): void {
    for (const field of this.#reader.fields(span)) {
      if (isOneOf(field, ATTRIBUTE.graph, ATTRIBUTE.graphs)) this.#graph(field.span, depth + 1)
      else if (isOneOf(field, ATTRIBUTE.tensor, ATTRIBUTE.tensors)) this.#tensor(field.span)
      else if (isOneOf(field, ATTRIBUTE.sparse, ATTRIBUTE.sparses)) this.#sparse(field.span)
    }
  }

  #sparse(span: Span): void {
    for (const field of this.#reader.fields(span)) {
      if (isOneOf(field, SPARSE.values, SPARSE.indices)) this.#tensor(field.span)
    }
  }

  #tensor(span: Span): void {
    let name = ''
    let isOutside = false
    for (const field of this.#reader.fields(span)) {
      if (field.number === TENSOR.name && field.kind === 'bytes') name = this.#reader.text(field.span)
      if (field.number === TENSOR.externalData) isOutside = true
      if (field.number === TENSOR.dataLocation && field.kind === 'varint' && field.value !== 0) isOutside = true
    }
    if (isOutside) {
      throw unfit(
        this.#path,
        `has weights outside of its file: ${JSON.stringify(name.slice(0, 64))}`,
        'save it in one file: onnx.save_model(…, save_as_external_data=False)',
      )
    }
  }
}

function isOneOf(field: Field, one: number, other: number): field is Field & { kind: 'bytes' } {
  return field.kind === 'bytes' && (field.number === one || field.number === other)
}

function unfit(path: string, what: string, cure: string, cause?: unknown): EdgeError {
  return new EdgeError('MODEL_INVALID', { message: `${path} ${what}`, next: [cure], cause })
}
