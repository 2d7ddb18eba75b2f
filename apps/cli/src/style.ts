/** Whether text for a stream is coloured: `NO_COLOR` forbids it (no-color.org), `FORCE_COLOR` asks for it, else terminals have it. */
export function wantsColor(terminal: boolean, env: NodeJS.ProcessEnv = process.env): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR !== undefined) return env.FORCE_COLOR !== "0" && env.FORCE_COLOR !== "false";
  return terminal && env.TERM !== "dumb";
}

const CODES = { bold: [1, 22], red: [31, 39], green: [32, 39], yellow: [33, 39], cyan: [36, 39] } as const;

/** Text in bold or in colours, or as it is where a stream takes none. */
export type Style = { readonly [Name in keyof typeof CODES]: (text: string) => string };

export const styleFor = (color: boolean): Style =>
  Object.fromEntries(
    Object.entries(CODES).map(([name, [on, off]]) => [name, (text: string) => (color ? `\u001b[${on}m${text}\u001b[${off}m` : text)]),
  ) as Style;
