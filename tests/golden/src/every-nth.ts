import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { GoldenCase } from "./case.js";

/** What a case is about, as its files say: a method of PEFT, an algorithm of LyCORIS, an architecture; together with its folder. */
function subject(root: string, name: string): string {
  for (const file of ["case.json", "config.json"]) {
    const path = join(root, name, file);
    if (!existsSync(path)) continue;
    const {
      method,
      algo,
      model_type: model,
    } = JSON.parse(readFileSync(path, "utf8")) as Partial<Record<"method" | "algo" | "model_type", string>>;
    return `${dirname(name)} ${method ?? algo ?? model ?? ""}`;
  }
  return dirname(name);
}

/**
 * The first of every `every` cases of each subject, so that none is left out.
 * @param root the golden folder, of which the names of cases are paths
 */
export function everyNth(cases: readonly GoldenCase[], root: string, every: number): GoldenCase[] {
  const seen = new Map<string, number>();
  return cases.filter(({ name }) => {
    const key = subject(root, name);
    const index = seen.get(key) ?? 0;
    seen.set(key, index + 1);
    return index % every === 0;
  });
}
