import { ConfigError } from "@weft/tensor-core";
import { RE2JS } from "re2js";
import { translatePythonRegex } from "./python-regex.js";
import { checkPatternLength, type RegexEngine, type RegexMatch } from "./regex-engine.js";

/** RE2, which takes time proportional to the text whatever the pattern. */
export const re2Engine: RegexEngine = (pattern, anchoring, field) => {
  checkPatternLength(pattern, field);
  const compiled = compile(translatePythonRegex(pattern, "re2", field), field);
  if (!pattern.includes("(?P<idx>")) {
    if (anchoring === "full") return (text) => (compiled.matches(text) ? NO_GROUP : undefined);
    return (text) => (compiled.matcher(text).lookingAt() ? NO_GROUP : undefined);
  }
  return (text) => {
    const matcher = compiled.matcher(text);
    const found = anchoring === "full" ? matcher.matches() : matcher.lookingAt();
    return found ? { idx: matcher.group("idx") ?? undefined } : undefined;
  };
};

const NO_GROUP: RegexMatch = { idx: undefined };

function compile(translated: string, field: string): RE2JS {
  try {
    return RE2JS.compile(translated);
  } catch (cause) {
    // The translation already checked the grammar, so what RE2 refuses here is too large or beyond it.
    throw new ConfigError(
      `${field}: the safe regex engine refuses ${JSON.stringify(translated.slice(0, 80))}: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        kind: "unsafe-regex",
        hint: "list the module names instead",
        cause,
      },
    );
  }
}
