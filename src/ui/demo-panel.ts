/** How a node of a demo fleet stands, as the demo keys need it. */
export interface DemoPanelNode {
  readonly name: string
  readonly pid: number | null
  readonly uplink: string
  readonly slowMs: number
  readonly garbage: boolean
}

/** What the screen can do to a demo fleet; whoever runs one hands it in. */
export interface DemoPanel {
  state(): {
    readonly nodes: readonly DemoPanelNode[]
    readonly cloud: { readonly kind: string; readonly up: boolean }
  }
  kill(node: string): Promise<void>
  revive(node: string): Promise<void>
  cut(node: string): Promise<void>
  restore(node: string): Promise<void>
  slow(node: string, ms: number): Promise<void>
  garbage(node: string): Promise<void>
}
