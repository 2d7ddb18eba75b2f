import type { NameRow } from "./name-map.js";

/** Rows of modules that are called so in both. */
export const same = (...names: readonly string[]): NameRow[] => names.map((name) => ({ original: name, diffusers: name }));

/** Rows out of pairs of an original name and diffusers', each behind what stands in front of it. */
export const pairs = (original: string, diffusers: string, names: Readonly<Record<string, string | readonly string[]>>): NameRow[] =>
  Object.entries(names).map(([from, to]) => ({
    original: original + from,
    diffusers: typeof to === "string" ? diffusers + to : to.map((part) => diffusers + part),
  }));

/** Names of the parts of a fused projection. */
export const QKV: readonly string[] = ["to_q", "to_k", "to_v"];
export const ADDED_QKV: readonly string[] = ["add_q_proj", "add_k_proj", "add_v_proj"];
const behind = (prefix: string, names: readonly string[]): string[] => names.map((name) => prefix + name);

/** Projections that read a block's own width. */
export const ATTENTION_INPUTS: RegExp = /(?:^|[._])(to_q|add_q_proj|qkv)$/;

/** One stream of a block with two: image or text. */
export interface Stream {
  readonly attention: readonly string[];
  readonly out: string;
  readonly ff: string;
  readonly norm: string;
  readonly norms: readonly [q: string, k: string];
}

export const IMAGE: Stream = { attention: QKV, out: "to_out.0", ff: "ff", norm: "norm1", norms: ["norm_q", "norm_k"] };
export const TEXT: Stream = {
  attention: ADDED_QKV,
  out: "to_add_out",
  ff: "ff_context",
  norm: "norm1_context",
  norms: ["norm_added_q", "norm_added_k"],
};

/** The attention of a stream under Black Forest Labs' names. */
export const bflAttention = (original: string, { attention, out, norms }: Stream): NameRow[] =>
  pairs(`double_blocks.#.${original}_attn.`, "transformer_blocks.#.attn.", {
    qkv: attention,
    proj: out,
    "norm.query_norm": norms[0],
    "norm.key_norm": norms[1],
  });

/** A fused projection of a single block and its way out. */
export const bflSingle = (): NameRow[] => [
  {
    original: "single_blocks.#.linear1",
    diffusers: behind("single_transformer_blocks.#.", ["attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"]),
    sizes: [1, 1, 1, 4],
  },
  {
    original: "single_blocks.#.linear1_qkv",
    diffusers: behind("single_transformer_blocks.#.attn.", QKV),
    within: { path: "single_blocks.#.linear1", part: { index: 0, sizes: [3, 4] } },
  },
  { original: "single_blocks.#.linear2", diffusers: "single_transformer_blocks.#.proj_out" },
];

/** A pair of linear layers that makes a vector of a number. */
export const embedder = (original: string, diffusers: string, [first, second]: readonly [string, string]): NameRow[] =>
  pairs(`${original}.`, `${diffusers}.`, { [first]: "linear_1", [second]: "linear_2" });
