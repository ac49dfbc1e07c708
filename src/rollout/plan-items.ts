import type { Item } from '../../protocol/change.ts'
import type { NodeKey, Plan, PlanNode } from './contract.ts'

/** A node of a plan; undefined when the plan does not name it. */
export function planNodeOf(plan: Plan, key: NodeKey): PlanNode | undefined {
  return plan.nodes.find((node) => node.key === key)
}

/** What a node gets by a plan: its own item in an undo, else the plan's. */
export function itemOf(plan: Plan, key: NodeKey): Item {
  return planNodeOf(plan, key)?.item ?? plan.item
}
