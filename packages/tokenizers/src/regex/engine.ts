import { ConfigError } from "@weft/tensor-core";
import type { Finder } from "../text/split.js";

/** Makes a finder of a pattern written for RE2. */
export type SafeEngine = (pattern: string) => Finder;

let loaded: SafeEngine | undefined;

/** Loads the engine for patterns that a RegExp could run for ever with. No tokenizer in use has one; what opens files loads it by itself when one does. */
export async function loadRegexEngine(): Promise<void> {
  loaded ??= (await import("./re2-engine.js")).re2Engine;
}

/** @throws ConfigError kind `regex-not-loaded` before `loadRegexEngine()` */
export const safeEngine: SafeEngine = (pattern) => {
  if (loaded) return loaded(pattern);
  throw new ConfigError("a regular expression of the tokenizer could take for ever, and the engine that runs it safely is not loaded", {
    kind: "regex-not-loaded",
    hint: "await loadRegexEngine() before",
  });
};
