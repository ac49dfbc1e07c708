/** Stands in for an optional package that the bundle never calls. */
export const empty = {}
