import { CapabilityError } from "@weft/tensor-core";
import type { WeightSource } from "@weft/io-safetensors";
import type { Change } from "./change.js";
import type { RowPatch, MergeOp } from "../plan/tensor-job.js";
import type { ByteReader } from "../source/byte-reader.js";
import { sameData } from "./same-data.js";
import { type Tie, vocabularyPair } from "./tied.js";

/** What becomes of two tied embeddings. */
export interface ResolvedTie {
  /** The config must say that they are not tied. */
  readonly untied: boolean;
  /** The name that the output does not have. */
  readonly omit: string | undefined;
  readonly notices: readonly string[];
}

/**
 * Decides what becomes of tied embeddings. What is changed in both alike stays tied; otherwise each gets what the adapters do to it, and the output
 * holds both. With `untie` false both get the changes of both.
 * @throws CapabilityError kinds `tied`, `conflict`
 */
export async function resolveTie(
  changes: Map<string, Change>,
  tie: Tie | undefined,
  untie: boolean,
  files: ByteReader,
): Promise<ResolvedTie> {
  const kept: ResolvedTie = { untied: false, omit: tie?.aliased ? tie.head : undefined, notices: [] };
  if (!tie) return kept;
  const { embedding, head, apart } = tie;
  const [first, second] = [changes.get(embedding), changes.get(head)];
  if (!first && !second) return kept;
  if (apart)
    return {
      ...kept,
      untied: true,
      notices: [
        `config.json ties ${embedding} and ${head}, but the base holds two different matrices: they stay apart, and config.json says tie_word_embeddings: false`,
      ],
    };
  if (first && second && (await alike(first, second, files))) {
    if (tie.aliased) changes.delete(head);
    return kept;
  }
  const changed = [...(first ? [embedding] : []), ...(second ? [head] : [])].join(" and ");
  if (untie && tie.encoderDecoder)
    throw new CapabilityError(`${changed}: the encoder-decoder model ties it to other layers, and this adapter changes it alone`, {
      kind: "tied",
      tensor: first ? embedding : head,
      hint: "keep the adapter unmerged; --no-untie changes all of them",
    });
  if (untie)
    return {
      untied: true,
      omit: undefined,
      notices: [
        `tied embeddings: ${changed} changed, so the output holds ${embedding} and ${head}, and config.json says tie_word_embeddings: false (--no-untie changes both, as PEFT does)`,
      ],
    };
  const shared = await together(first, second, tie, files);
  changes.set(embedding, shared);
  if (tie.aliased) changes.delete(head);
  else changes.set(head, shared);
  return { ...kept, notices: [`tied embeddings: ${embedding} and ${head} are changed together`] };
}

/** True if two changes of one matrix give the same. */
async function alike(a: Change, b: Change, files: ByteReader): Promise<boolean> {
  if (a.steps.length !== b.steps.length || a.patches.length !== b.patches.length || !a.replacement !== !b.replacement) return false;
  if (!a.steps.every((step, i) => sameStep(step, b.steps[i]!))) return false;
  if (a.replacement && !(await sameData(a.replacement, b.replacement!, files))) return false;
  for (const [i, patch] of a.patches.entries()) if (!(await samePatch(patch, b.patches[i]!, files))) return false;
  return true;
}

/** The same computation with the same tensors. */
function sameStep(a: MergeOp, b: MergeOp): boolean {
  const { params: x, ...restA } = a;
  const { params: y, ...restB } = b;
  if (JSON.stringify(restA) !== JSON.stringify(restB)) return false;
  return Object.keys({ ...x, ...y }).every(
    (name) => x[name]?.file === y[name]?.file && x[name]?.offset === y[name]?.offset && x[name]?.values === y[name]?.values,
  );
}

const samePatch = async (a: RowPatch, b: RowPatch, files: ByteReader): Promise<boolean> =>
  a.indices.join() === b.indices.join() && (await sameData(a.rows, b.rows, files));

/** One matrix with the changes of both names. */
async function together(
  first: Change | undefined,
  second: Change | undefined,
  { embedding, head }: Tie,
  files: ByteReader,
): Promise<Change> {
  if (!first || !second) return (first ?? second)!;
  if (first.replacement && second.replacement && !(await sameData(first.replacement, second.replacement, files)))
    throw new CapabilityError(`${embedding} and ${head} are replaced by different matrices, so they cannot stay one`, {
      kind: "conflict",
      tensor: head,
      hint: "leave --no-untie out",
    });
  const whole = first.replacement ? first : second;
  const others = <T>(list: readonly T[], same: (entry: T) => boolean): T[] => list.filter((entry) => !same(entry));
  return {
    ...whole,
    steps: [...first.steps, ...others(second.steps, (step) => first.steps.some((other) => sameStep(step, other)))],
    patches: [...first.patches, ...second.patches],
  };
}

/**
 * Refuses an output whose input embedding and head have different numbers of rows, which transformers cannot load: the missing rows of the other are
 * drawn at random where a model is resized, and the adapter does not hold them.
 * @throws CapabilityError kind `vocabulary`
 */
export function checkVocabulary(base: WeightSource, changes: ReadonlyMap<string, Change>, { omit }: ResolvedTie): void {
  const { embedding, head } = vocabularyPair({
    names: () => [...new Set([...base.names(), ...changes.keys()])].filter((name) => name !== omit),
  });
  const names = [embedding, head].flatMap((name) => name ?? []);
  const rows = names.map((name) => (changes.get(name)?.replacement ?? base.info(name)).shape[0]);
  if (rows.length < 2 || rows[0] === rows[1] || !names.some((name) => changes.get(name)?.resized)) return;
  const short = rows[0]! < rows[1]! ? 0 : 1;
  throw new CapabilityError(
    `the adapter brings ${names[1 - short]} with ${rows[1 - short]} rows, and ${names[short]} has ${rows[short]}: its new rows are not in the adapter, and a model with both cannot be loaded`,
    {
      kind: "vocabulary",
      tensor: names[short]!,
      hint: "merge into the base that was resized before training, or save both with the adapter (modules_to_save); if they were trained as one matrix, --no-untie writes one for both",
    },
  );
}
