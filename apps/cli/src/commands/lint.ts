import type { WeightSource } from "@weft/io-safetensors";
import type { OpenedAdapter } from "@weft/adapter-files";
import type { DialectName } from "@weft/adapter-files/dialects";
import { type ConvertModule, convertModules } from "@weft/convert";
import { WeftError } from "@weft/tensor-core";
import { type Command, EXIT } from "../context.js";
import { openAdapterAt, openCheckpoint } from "@weft/checkpoint/node";
import { findMergeBlocker, findWrongBase } from "../lint/base.js";
import type { Finding, Severity } from "../lint/finding.js";
import { findConfigTraps, findDialectTraps, findStaleHash } from "../lint/traps.js";
import { findDeadRanks, findNonFinite } from "../lint/values.js";
import { printable } from "../output.js";
import type { Style } from "../style.js";

export interface LintCommandOptions {
  readonly base?: string;
  readonly from?: DialectName;
  readonly alpha?: number;
  readonly adapterName?: string;
}

/** Places of a finding that are shown to people; --json has all. */
const SHOWN = 3;
const ORDER: readonly Severity[] = ["error", "warning", "note"];

/** `weft lint ADAPTER [--base BASE]`: what is wrong, wasted or a trap in an adapter, each with what to do. Exit code 4 if there is more than notes. */
export const lint: Command<LintCommandOptions> = async ([path], { base: basePath, ...hints }, { out, signal, methods }) => {
  const opened: WeightSource[] = [];
  try {
    const adapter = await openAdapterAt(path, (await methods()).table, { ...hints, assumeAlpha: true });
    opened.push(adapter.weights);
    const base = basePath === undefined ? undefined : await openCheckpoint(basePath);
    if (base) opened.push(base);
    const modules = modulesOf(adapter);
    const files = [...new Set([...adapter.weights.names()].map((name) => adapter.weights.info(name).file))];
    const findings = [
      ...(await findNonFinite(adapter.weights, signal)),
      ...(base ? await findWrongBase(adapter, base) : []),
      ...findMergeBlocker(adapter),
      ...findConfigTraps(adapter),
      ...findDialectTraps(adapter, modules),
      ...(files.length === 1 ? await findStaleHash(adapter, files[0]!) : []),
      ...(await findDeadRanks(modules, path, signal)),
    ].sort((a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity));
    const counts = Object.fromEntries(ORDER.map((severity) => [severity, findings.filter((f) => f.severity === severity).length]));
    out.result({ path, dialect: adapter.dialect, method: adapter.method, modules: adapter.modules.size, counts, findings }, (style) =>
      findings.length === 0
        ? `✓ ${path}: nothing found in ${adapter.modules.size} modules (${adapter.dialect}, ${adapter.method})`
        : findings.map((finding) => text(finding, style)).join("\n"),
    );
    return findings.some(({ severity }) => severity !== "note") ? EXIT.unlike : EXIT.done;
  } finally {
    await Promise.all(opened.map((source) => source.close()));
  }
};

/** The modules in one form; none for methods that only PEFT has, whose factors are no LoRA's. */
function modulesOf(adapter: OpenedAdapter): readonly ConvertModule[] {
  try {
    return convertModules(adapter).modules;
  } catch (error) {
    if (error instanceof WeftError && error.kind === "not-convertible") return [];
    throw error;
  }
}

function text({ code, severity, message, proposal, where }: Finding, style: Style): string {
  const color = { error: style.red, warning: style.yellow, note: style.cyan }[severity];
  const places = where.slice(0, SHOWN).map((place) => `\n  ${printable(place)}`);
  const more = where.length > SHOWN ? `\n  … and ${where.length - SHOWN} more` : "";
  return `${color(severity)} ${code}: ${printable(message, 1000)}${places.join("")}${more}\n  try: ${printable(proposal, 500)}`;
}
