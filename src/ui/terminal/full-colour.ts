/** What FORCE_COLOR was before this module set it. */
export const FORCE_COLOR_AT_START: string | undefined = process.env.FORCE_COLOR

// Evaluated before Ink is: Ink then colours with 24 bits whatever the environment says, so that holes keep their exact
// colour. The compositor lowers colours to what the terminal shows, and drops them under NO_COLOR.
process.env.FORCE_COLOR = '3'
