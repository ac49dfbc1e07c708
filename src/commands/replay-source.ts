/** Where a past is read from; `auto` is the node, and the cloud for what the node does not have or cannot tell. */
export const REPLAY_SOURCES = ['auto', 'node', 'cloud'] as const
/** @see REPLAY_SOURCES */
export type ReplaySource = (typeof REPLAY_SOURCES)[number]
