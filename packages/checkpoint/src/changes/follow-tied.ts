import type { MatchedModule, MatchReport, OpenedAdapter } from "@weft/adapter-files";
import type { Tie } from "./tied.js";
import { tokenIndices } from "./whole-tensors.js";

/**
 * What an adapter does to both of two tied embeddings, where its file names one of them and PEFT changes both: trained tokens of the embedding are the
 * head's, too, unless the head has its own; so is everything with `ensure_weight_tying` (but for DoRA, whose norms go along different axes); and a copy
 * of the base's embedding that was saved along is one of the base, from which both start.
 * @see peft `utils/other.py` set_additional_trainable_modules, `tuners/lora/model.py` _add_targets_to_tie
 */
export function followTied(report: MatchReport, adapter: OpenedAdapter, tie: Tie | undefined): MatchReport {
  if (!tie || tie.apart) return report;
  const { embedding, head } = tie;
  const { ensureWeightTying, useDora } = adapter.config.values as { readonly ensureWeightTying?: boolean; readonly useDora?: boolean };
  if (ensureWeightTying && !useDora && touched(report, embedding)) return asEmbedding(report, tie);
  const { matched, replaced, tokens } = report;
  const copies = new Set(adapter.embeddings.values());
  const pair = [embedding, head].map((name) => replaced.find((entry) => entry.name === name));
  const copied = replaced.filter((entry) => pair.includes(entry) && pair.includes(undefined) && copies.has(entry.tensor));
  const isRows = ({ method }: MatchedModule): boolean => method === "TRAINABLE_TOKENS";
  const own = tokens.some(({ weight }) => weight === head) || matched.some((module) => isRows(module) && module.weight === head);
  const rows = own ? [] : matched.filter((module) => isRows(module) && module.weight === embedding);
  const trained = own ? [] : tokens.filter(({ weight }) => weight === embedding);
  // Below what else the adapter does to the head: PEFT wraps the layer first. As a step, as rows that are patched come behind all steps.
  const changed = matched.find(({ weight }) => weight === head);
  const below = changed ? trained.map(({ tensor }) => rowsModule(changed, tokenIndices(adapter, tensor), tensor)) : [];
  return {
    ...report,
    matched: [...below, ...matched, ...rows.map((module) => ({ ...module, weight: head }))],
    replaced: [...replaced, ...copied.map((entry) => ({ ...entry, name: entry.name === head ? embedding : head }))],
    tokens: [...tokens, ...(changed ? [] : trained.map((entry) => ({ ...entry, weight: head })))],
  };
}

const touched = ({ matched, replaced, tokens }: MatchReport, name: string): boolean =>
  matched.some(({ weight }) => weight === name) ||
  replaced.some((entry) => entry.name === name) ||
  tokens.some(({ weight }) => weight === name);

/** The head as the embedding, whatever the file has for it: PEFT gives both the same parameters. */
function asEmbedding(report: MatchReport, { embedding, head }: Tie): MatchReport {
  const both = <T>(entries: readonly T[], nameOf: (entry: T) => string, under: (entry: T) => T): T[] =>
    entries.filter((entry) => nameOf(entry) !== head).flatMap((entry) => (nameOf(entry) === embedding ? [entry, under(entry)] : [entry]));
  return {
    ...report,
    matched: both(
      report.matched,
      ({ weight }) => weight,
      (module) => ({ ...module, weight: head }),
    ),
    replaced: both(
      report.replaced,
      ({ name }) => name,
      (entry) => ({ ...entry, name: head }),
    ),
    tokens: both(
      report.tokens,
      ({ weight }) => weight,
      (entry) => ({ ...entry, weight: head }),
    ),
  };
}

function rowsModule(
  { layer, weight, path }: MatchedModule,
  indices: readonly number[],
  rows: MatchReport["tokens"][number]["tensor"],
): MatchedModule {
  return {
    id: `${path}.token_adapter`,
    path: `${path}.token_adapter`,
    weight,
    bias: undefined,
    method: "TRAINABLE_TOKENS",
    layer,
    config: { tokenIndices: indices, targetModules: null, initWeights: true },
    tensors: new Map([["rows", rows]]),
  };
}
