import { FormatError } from "@weft/tensor-core";
import { splitAdapterName } from "../keys/adapter-name.js";
import { MAX_KEY_LENGTH } from "../keys/parse-key.js";
import type { Dialect, DialectHints, DialectName } from "./dialect.js";
import { DIALECTS } from "./dialects.js";

/** What a file's keys say about its dialect. */
export interface Detection {
  readonly dialect: DialectName;
  /** What was seen: "66 of 66 keys as in lora_unet_….lora_down.weight". */
  readonly reason: string;
  /** Keys that the dialect reads, of all. */
  readonly read: number;
  readonly keys: number;
}

/** The parts of a `WeightSource` that detection needs. */
export interface KeySource {
  readonly location: string;
  readonly metadata: ReadonlyMap<string, string>;
  names(): Iterable<string>;
  has(name: string): boolean;
}

/**
 * Says which dialect a file's keys are in: the one that reads most of them; where several read as many, the narrowest; where metadata
 * names the program, that one.
 * @returns undefined if fewer than half of the keys are of any dialect: this is no adapter
 * @throws FormatError kind `ambiguous-dialect`, naming the candidates
 */
export function detectDialect(source: KeySource): Detection | undefined {
  const names = [...source.names()];
  const hints: DialectHints = { metadata: source.metadata, has: (name) => source.has(name) };
  const plain = names.filter((name) => name.length <= MAX_KEY_LENGTH).map((name) => splitAdapterName(name).plain);
  const scored = [...DIALECTS.values()].flatMap((dialect) => {
    const claim = dialect.claims?.(hints);
    const keys = plain.flatMap((name) => dialect.readKey(name) ?? []);
    const vague = claim === undefined && dialect.isVague?.(keys);
    return keys.length === 0 || vague ? [] : [{ dialect, read: keys.length, claim }];
  });
  const claimed = scored.filter(({ claim, read }) => claim !== undefined && read * 2 >= names.length);
  const most = Math.max(0, ...scored.map(({ read }) => read));
  if (claimed.length === 0 && most * 2 < names.length) return undefined;
  const best = claimed.length > 0 ? claimed : scored.filter(({ read }) => read === most);
  const narrow = best.filter(
    ({ dialect }) => !best.some((other) => other.dialect !== dialect && dialect.includes.includes(other.dialect.name)),
  );
  if (narrow.length > 1)
    throw ambiguous(
      source,
      narrow.map(({ dialect }) => dialect),
    );
  const [winner] = narrow;
  if (!winner) return undefined;
  const { dialect, read, claim } = winner;
  const seen = `${read} of ${names.length} keys are as in ${dialect.example}`;
  return { dialect: dialect.name, reason: claim === undefined ? seen : `${claim}; ${seen}`, read, keys: names.length };
}

function ambiguous(source: KeySource, candidates: readonly Dialect[]): FormatError {
  return new FormatError(`${source.location}: its keys fit several dialects: ${candidates.map(({ name }) => name).join(", ")}`, {
    kind: "ambiguous-dialect",
    file: source.location,
    hint: "say which one it is (--from)",
  });
}
