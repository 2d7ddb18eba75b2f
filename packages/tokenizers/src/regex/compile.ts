import { WeftError } from "@weft/tensor-core";
import type { Field } from "../json/fields.js";
import { type Finder, findAll, findText } from "../text/split.js";
import { safeEngine } from "./engine.js";
import { isSafe } from "./is-safe.js";
import { parsePattern, PatternError } from "./parse.js";
import { printJs, printRe2 } from "./print.js";

/**
 * A regular expression of a file. It runs as a RegExp if that cannot take long, else by RE2, which takes time proportional to the text.
 * @throws FormatError kind `unsafe-regex` if neither is possible, `tokenizer-schema` if it is no pattern; ConfigError kind `regex-not-loaded`
 */
function compilePattern(field: Field): Finder {
  const source = JSON.stringify(field.string());
  try {
    const pattern = parsePattern(field.string());
    if (isSafe(pattern)) return findAll(new RegExp(printJs(pattern), "gv"));
    const safe = printRe2(pattern);
    if (safe !== undefined) return safeEngine(safe);
  } catch (error) {
    if (error instanceof WeftError) throw error;
    if (error instanceof PatternError || error instanceof SyntaxError) throw field.error(`${source}: ${error.message}`);
    throw field.error(`${source}: ${String(error)}`, "unsafe-regex");
  }
  throw field.error(
    `${source} could take for ever, and has what the safe engine has not`,
    "unsafe-regex",
    "no tokenizer in use has such a pattern: is the file to be trusted?",
  );
}

/** The pattern of `Split` and `Replace`: `{"String": …}`, which is taken by the letter, or `{"Regex": …}`. */
export function readPattern(field: Field): Finder {
  if (field.map.has("Regex")) return compilePattern(field.at("Regex"));
  const text = field.at("String").string();
  return text === "" ? findAll(new RegExp("", "gv")) : findText(text);
}
