interface Stretch {
  from: number
  to: number
}

/** Counts damaged stretches of files, each once however often and from wherever it is come across. */
export class DamageCount {
  readonly #stretches = new Map<string, Stretch[]>()
  #count = 0

  get count(): number {
    return this.#count
  }

  /** Bytes `from` up to and without `to` of a file are damaged; false when they, or some of them, were noted before. */
  note(path: string, from: number, to: number): boolean {
    const stretches = this.#stretches.get(path) ?? []
    this.#stretches.set(path, stretches)
    const known = stretches.find((stretch) => from < stretch.to && to > stretch.from)
    if (known === undefined) {
      stretches.push({ from, to })
      this.#count += 1
      return true
    }
    known.from = Math.min(known.from, from)
    known.to = Math.max(known.to, to)
    return false
  }
}
