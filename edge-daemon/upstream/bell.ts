/** Wakes one sleeper; a ring while nobody sleeps is kept for the next sleep, so none is missed. */
export class Bell {
  #rung = false
  #wake: (() => void) | null = null

  ring(): void {
    if (this.#wake === null) this.#rung = true
    else this.#wake()
  }

  /** Sleep until rung, or until the time is over when one is given. */
  async sleep(timeoutMs?: number): Promise<void> {
    if (!this.#rung) {
      let timer: NodeJS.Timeout | undefined
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        if (timeoutMs !== undefined) timer = setTimeout(resolve, timeoutMs)
      })
      clearTimeout(timer)
      this.#wake = null
    }
    this.#rung = false
  }
}
