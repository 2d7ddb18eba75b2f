import systemPath, { type PlatformPath } from "node:path";

/**
 * A path as a plan has it: from the plan's folder, with "/" on every system, so that it holds wherever that is mounted; whole where it lies on
 * another drive.
 * @param rules of paths; the system's if not given
 */
export function planPath(folder: string, path: string, rules: PlatformPath = systemPath): string {
  const found = rules.relative(folder, rules.resolve(path)) || ".";
  return rules.isAbsolute(found) ? found : found.replaceAll(rules.sep, "/");
}
