import type { AdapterMethod } from "@weft/tensor-core";
import { createModuleConfig, type PatternedConfig } from "./pattern-key.js";
import { loadRegexEngine, type RegexEngine } from "./regex-engine.js";
import { createTargetMatcher, expandAllLinear, type TargetConfig } from "./targets.js";

/** Loads the default regex engine if a config has a pattern that needs one: lists and plain names do not. */
export async function prepareRegex(config: PatternedConfig<object>, method?: AdapterMethod<never>): Promise<void> {
  let asked = false;
  const probe: RegexEngine = () => {
    asked = true;
    return () => undefined;
  };
  const { targetModules, ...rest } = expandAllLinear(config.values as TargetConfig, []);
  createTargetMatcher({ ...rest, targetModules: targetModules ?? [] }, { engine: probe });
  createModuleConfig(config, probe, method)("");
  if (asked) await loadRegexEngine();
}
