import { styleFor } from "../style.js";

/** One call and what it does. */
export type Example = readonly [what: string, call: string];

/** The last part of a command's help. */
export const examples = (...list: readonly Example[]): string =>
  ["", styleFor(true).bold("Examples:"), ...list.flatMap(([what, call]) => [`  # ${what}`, `  ${call}`])].join("\n");
