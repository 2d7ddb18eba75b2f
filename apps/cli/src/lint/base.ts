import type { WeightSource } from "@weft/io-safetensors";
import { describeReport, matchAdapter, type OpenedAdapter } from "@weft/registry";
import { folderOf, readModelConfig } from "../merge/side-files.js";
import type { Finding } from "./finding.js";

/** What of an adapter has no place in a base. */
export function findWrongBase(adapter: OpenedAdapter, base: WeightSource): Finding[] {
  const report = matchAdapter(adapter, base, { model: readModelConfig(folderOf(base.location)) });
  const { missing, mismatched, matched } = report;
  if (missing.length + mismatched.length === 0) return [];
  const [, ...lines] = describeReport(report);
  const { baseModelNameOrPath } = adapter.config.values as { readonly baseModelNameOrPath?: string | null };
  return [
    {
      code: "wrong-base",
      severity: "error",
      message: `${missing.length + mismatched.length} parts of the adapter do not fit this base, ${matched.length} do: ${lines[0] ?? ""}`,
      proposal: baseModelNameOrPath
        ? `the adapter was made for ${JSON.stringify(baseModelNameOrPath)}`
        : "give the base that the adapter was made for",
      where: [...mismatched.map(({ path }) => path), ...missing.map(({ path }) => path)],
    },
  ];
}
