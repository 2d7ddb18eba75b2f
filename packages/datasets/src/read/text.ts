import type { ByteSource } from "@weft/io-safetensors";
import { dataError, optionError } from "../data-error.js";
import { MAX_ROW_BYTES } from "../limits.js";
import { linesOf, textOf, withoutMark } from "./lines.js";
import type { Row } from "./row.js";

/**
 * Where documents of a plain text end: at blank lines, at lines that match an expression (which are left out), after so many characters, or nowhere: the file
 * is one.
 */
export type TextSplit = "blank-line" | "line" | "file" | RegExp | { readonly characters: number };

/** Rows with a column `text`, one of each document; those that are empty are passed over. */
export async function* readText(source: ByteSource, split: TextSplit = "blank-line"): AsyncGenerator<Row> {
  const file = source.location;
  const most = typeof split === "object" && "characters" in split ? split.characters : Infinity;
  if (!(most === Infinity || (Number.isInteger(most) && most > 0))) throw optionError(`characters is ${most}, expected an integer above 0`);
  const separates = (line: string): boolean =>
    split === "blank-line"
      ? line.trim() === ""
      : split instanceof RegExp && new RegExp(split.source, split.flags.replace(/[gy]/g, "")).test(line);
  let text = "";
  let began = 1;
  const rowOf = (part: string): Row => ({ values: { text: part }, place: { file, line: began } });
  for await (const { bytes, line } of linesOf(source)) {
    const next = textOf(line === 1 ? withoutMark(bytes) : bytes, file, line);
    if (split === "line" || separates(next)) {
      if (split === "line") [text, began] = [next, line];
      if (text.trim() !== "") yield rowOf(split === "line" ? text : text.slice(0, -1));
      text = "";
      continue;
    }
    if (text === "") began = line;
    text += `${next}\n`;
    while (text.length > most) {
      // Both halves of a pair of surrogates stay together.
      const end = /[\ud800-\udbff]/.test(text[most - 1]!) && most > 1 ? most - 1 : most;
      yield rowOf(text.slice(0, end));
      text = text.slice(end);
      began = line;
    }
    if (text.length > MAX_ROW_BYTES)
      throw dataError("limit", `a document is longer than ${MAX_ROW_BYTES} characters`, { file, line: began });
  }
  if (text.trim() !== "") yield rowOf(text.slice(0, -1));
}
