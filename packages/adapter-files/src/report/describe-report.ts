import { MatchError, ShapeError } from "@weft/tensor-core";
import type { OpenedAdapter } from "../opened-adapter.js";
import type { MatchReport } from "./match-report.js";

/** Lines shown of each kind of problem; the rest is counted. */
const SHOWN = 5;

/** A report in lines for people: one summary, then what does not fit, then what is not used. */
export function describeReport(report: MatchReport): string[] {
  const { matched, replaced, tokens, missing, mismatched, unused, elsewhere, rules, ambiguous } = report;
  const parts = [`${matched.length} ${plural(matched.length, "module")} matched`];
  for (const change of ["replaced", "resized", "added"] as const) {
    const count = replaced.filter((entry) => entry.change === change).length;
    if (count > 0) parts.push(`${count} ${plural(count, "tensor")} ${change}`);
  }
  if (tokens.length > 0) parts.push(`token rows of ${tokens.map(({ weight }) => weight).join(", ")} replaced`);
  for (const [component, count] of elsewhere)
    parts.push(`${count} ${plural(count, "module")} of ${component} left out: the base does not hold it`);
  if (rules.length > 0)
    parts.push(
      `paths: ${rules.map(({ strip, add }) => [strip && `"${strip}" removed`, add && `"${add}" added`].filter(Boolean).join(", ")).join("; ")}`,
    );
  return [
    parts.join(" · "),
    ...ambiguous.map(({ strip, add }) => `not decided: "${strip}" → "${add}" would fit as well`),
    ...shown(mismatched.map(({ message }) => message)),
    ...shown(
      missing.map(
        ({ wanted, nearest }) => `${wanted}: not in the base${nearest.length > 0 ? `; the nearest name is ${nearest.join(", ")}` : ""}`,
      ),
    ),
    ...shown(unused.map(({ name }) => `${name}: not used`)),
  ];
}

/**
 * Throws if an adapter does not wholly fit a base. Unused tensors are not an error; they are in the report.
 *
 * @throws MatchError kind `no-match` if nothing fits, `missing-modules` if a part has no place; ShapeError kind `shape-mismatch`
 */
export function assertMatch(report: MatchReport, adapter: OpenedAdapter): void {
  const { matched, replaced, tokens, missing, mismatched } = report;
  if (mismatched.length === 0 && missing.length === 0 && matched.length + replaced.length + tokens.length + adapter.shared.size > 0) return;
  const [, ...lines] = describeReport(report);
  const { baseModelNameOrPath } = adapter.config.values as { baseModelNameOrPath?: string | null };
  const hint = baseModelNameOrPath
    ? `the adapter was made for ${JSON.stringify(baseModelNameOrPath)}`
    : "is this the base that the adapter was made for?";
  if (mismatched.length > 0)
    throw new ShapeError(["the adapter does not fit this base", ...lines].join("\n  "), {
      kind: "shape-mismatch",
      tensor: mismatched[0]!.path,
      hint,
    });
  const total = adapter.modules.size;
  if (matched.length + replaced.length + tokens.length === 0)
    throw new MatchError([`0 of ${total} ${plural(total, "module")} of the adapter are in the base`, ...lines].join("\n  "), {
      kind: "no-match",
      hint,
    });
  throw new MatchError(
    [
      `${missing.length} ${plural(missing.length, "part")} of the adapter ${missing.length === 1 ? "is" : "are"} not in the base`,
      ...lines,
    ].join("\n  "),
    { kind: "missing-modules", hint },
  );
}

const plural = (count: number, noun: string): string => (count === 1 ? noun : `${noun}s`);
const shown = (lines: readonly string[]): string[] =>
  lines.length <= SHOWN ? [...lines] : [...lines.slice(0, SHOWN), `… and ${lines.length - SHOWN} more`];
