import { createPatternPicker, loadRegexEngine, selectTargets, type TargetConfig } from "@weft/adapter-files";
import { Comparison, type Outcome } from "../case.js";
import { readJson } from "./files.js";

interface Matching {
  readonly module_names: readonly string[];
  readonly targets: readonly { readonly config: { readonly [field: string]: unknown }; readonly matched: readonly string[] }[];
  readonly pattern_keys: readonly { readonly patterns: readonly string[]; readonly picked: { readonly [name: string]: string } }[];
}

const camel = (name: string): string => name.replace(/_([a-z])/g, (_, c: string) => c.toUpperCase());

/** Which modules of the tiny Llama are linear, and which one gives the logits; the file lists names only. */
const isLinear = (path: string): boolean => /(_proj|lm_head)$/.test(path);

/** `target_matching.json`: which module names a config selects, and which pattern a module name picks. */
export async function runMatchingCase(file: string): Promise<Outcome> {
  const { module_names: names, targets, pattern_keys: patterns } = readJson<Matching>(file);
  await loadRegexEngine();
  const check = new Comparison(0);
  const modules = names.map((path) => ({ path, linear: isLinear(path), outputEmbedding: path === "lm_head" }));
  for (const { config, matched } of targets) {
    const camelled = Object.fromEntries(Object.entries(config).map(([key, value]) => [camel(key), value])) as TargetConfig;
    check.exact(JSON.stringify(config), selectTargets(camelled, modules).matched, matched);
  }
  for (const { patterns: keys, picked } of patterns) {
    const pick = createPatternPicker(keys, "rank_pattern");
    check.exact(
      JSON.stringify(keys),
      Object.fromEntries(names.flatMap((name) => (pick(name) === undefined ? [] : [[name, pick(name)]]))),
      picked,
    );
  }
  return check.outcome();
}
