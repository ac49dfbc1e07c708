import { type Document, isMap, isSeq, type Node, parseDocument } from 'yaml'

/** A YAML text that is changed in places: comments, order and spelling of all else stay. */
export class EditedDocument {
  readonly #document: Document

  /** @param text that was read without faults before */
  constructor(text: string) {
    this.#document = parseDocument(text)
  }

  /** Put a value where a path says; mappings on the way are made. Mappings inside lists are written in one line. */
  set(path: readonly string[], value: unknown): void {
    const node = this.#document.createNode(value)
    writeShort(node, false)
    if (this.#document.contents === null || !isMap(this.#document.contents)) {
      this.#document.contents = this.#document.createNode({})
    }
    const last = path.at(-1)
    const above = path.slice(0, -1)
    for (let depth = 1; depth <= above.length; depth += 1) {
      const here = above.slice(0, depth)
      if (!isMap(this.#document.getIn(here, true))) this.#document.setIn(here, this.#document.createNode({}))
    }
    if (last !== undefined) this.#document.setIn(path, node)
    this.#unfold(above)
  }

  /** Take away what stands at a path; a mapping that is empty then goes too. */
  delete(path: readonly string[]): void {
    this.#document.deleteIn(path)
    const above = path.slice(0, -1)
    const parent = this.#document.getIn(above, true)
    if (above.length > 0 && isMap(parent) && parent.items.length === 0) this.#document.deleteIn(above)
  }

  toString(): string {
    return this.#document.toString({ lineWidth: 0, flowCollectionPadding: true })
  }

  /** `{}` that was filled is written over lines. */
  #unfold(path: readonly string[]): void {
    for (let depth = 0; depth <= path.length; depth += 1) {
      const node = depth === 0 ? this.#document.contents : this.#document.getIn(path.slice(0, depth), true)
      if (isMap(node) && node.flow === true && node.items.length > 0) node.flow = false
    }
  }
}

function writeShort(node: Node | null, inList: boolean): void {
  if (isMap(node)) {
    node.flow = inList
    for (const { value } of node.items) writeShort(value as Node | null, inList)
  } else if (isSeq(node)) {
    node.flow = inList || node.items.every((item) => !isMap(item))
    for (const item of node.items) writeShort(item as Node | null, true)
  }
}
