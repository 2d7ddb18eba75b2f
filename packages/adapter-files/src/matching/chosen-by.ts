import { minimalTargets } from "./minimal-targets.js";
import { expandAllLinear, type ModuleName, type TargetConfig } from "./targets.js";

/** PEFT shortens lists of so many entries, and more, to the suffixes that they have in common. */
const MANY = 20;

/**
 * For a path that a config chose: by which entry of `target_modules`, the longest if several did; the regular expression, if it is one.
 * PEFT's rule, which for several takes any of them.
 * @param modules all modules of the model
 * @see peft `tuners/lily/model.py` _post_injection_hook
 */
export function createChosenBy(config: TargetConfig, modules: readonly ModuleName[]): (path: string) => string {
  const { targetModules } = expandAllLinear(config, modules);
  if (!Array.isArray(targetModules)) return () => String(targetModules);
  const given = targetModules as readonly string[];
  const fits = (path: string, entry: string): boolean => path === entry || path.endsWith(`.${entry}`);
  const others = (): string[] => modules.map(({ path }) => path).filter((path) => !given.some((entry) => fits(path, entry)));
  const entries = given.length < MANY ? given : minimalTargets(given, others());
  return (path) =>
    entries.filter((entry) => fits(path, entry)).reduce((longest, entry) => (entry.length > longest.length ? entry : longest), "");
}
