import { describePlace } from "../data-error.js";
import { IGNORED } from "../encode/encoded.js";
import type { Lens, LensToken } from "./lens.js";

const STYLES = { trained: "\u001b[30;42m", ignored: "\u001b[2m", cut: "\u001b[9;31m" } as const;
const RESET = "\u001b[0m";

/** Control characters of a text as signs, so that none reaches the terminal; line ends are kept visible. */
function printable(text: string): string {
  return text
    .replaceAll("\n", "⏎")
    .replaceAll("\t", "⇥")
    .replace(/[\p{Cc}\p{Cf}]/gu, (char) => (char.charCodeAt(0) < 32 ? String.fromCharCode(0x2400 + char.charCodeAt(0)) : "�"));
}

const styleOf = ({ cut, label }: LensToken): keyof typeof STYLES => (cut ? "cut" : label === IGNORED ? "ignored" : "trained");

/**
 * A lens for a terminal: trained tokens stand in brackets, what is cut between tildes, each turn on a line of its own; with `color` also on green, dim, and struck.
 */
export function formatLens(lens: Lens, { color = false }: { readonly color?: boolean } = {}): string {
  const wrap = (token: LensToken): string => {
    const style = styleOf(token);
    const text = printable(token.text);
    const marked = style === "trained" ? `[${text}]` : style === "cut" ? `~${text}~` : text;
    return color ? `${STYLES[style]}${marked}${RESET}` : marked;
  };
  const lines: string[] = [];
  let line = "";
  for (const token of lens.tokens) {
    if (token.beginsTurn) {
      if (line !== "") lines.push(line);
      line = `${token.role}: `;
    }
    line += wrap(token);
  }
  if (line !== "") lines.push(line);
  const end = lens.endTrained === undefined ? "" : `, end token ${lens.endTrained ? "trained" : "not trained"}`;
  const cut = lens.tokens.length - lens.seen;
  const head = `${describePlace(lens.place) || "example"}: trained ${lens.trained} of ${lens.seen} tokens${end}${cut > 0 ? `, ${cut} cut` : ""}`;
  return [head, ...lines.map((one) => `  ${one}`), ...lens.warnings.map((one) => `  ! ${one}`)].join("\n");
}
