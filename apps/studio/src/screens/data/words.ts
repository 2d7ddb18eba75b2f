import type { LensAnswer, LensToken } from "../../protocol/answers.js";
import { whole } from "../../ui/format.js";

type Coverage = LensAnswer["coverage"];

const many = (n: number, one: string, more: string): string => `${whole(n)} ${n === 1 ? one : more}`;

/** What is trained on, as numbers with their names. */
export function coverageNumbers({
  examples,
  tokens,
  trained,
  share,
  end,
  truncated,
  median,
  longest,
  untrained,
}: Coverage): readonly (readonly [string, string])[] {
  const known = end.trained + end.untrained;
  return [
    ["Examples", whole(examples)],
    ["Trained tokens", `${Math.round(share * 100)}%`],
    ["Of all", `${whole(trained)} of ${whole(tokens)}`],
    ["End token trained", known === 0 ? "not known" : `${whole(end.trained)}/${whole(known)}`],
    ["Cut", truncated.count === 0 ? "none" : many(truncated.count, "row", "rows")],
    ["Nothing to learn", untrained === 0 ? "none" : many(untrained, "row", "rows")],
    ["Median to longest", `${whole(median)} to ${whole(longest)}`],
  ];
}

/** Whether and why a token is trained on. */
export function tokenWords({ label, cut, role }: LensToken, atEnd: boolean): string {
  const turn = role === undefined ? "" : `, in the turn of ${role}`;
  if (cut) return `cut off: the example is longer than max_length${turn}`;
  if (label === -100) return `ignored: the model sees it, and does not learn to write it${turn}`;
  return `trained${atEnd ? ": it ends the answer, so the model learns to stop" : ": the model learns to write it"}${turn}`;
}

/** What the screen says. */
export const WORDS = {
  title: "Data",
  nothing: "Open a model and data first.",
  goOpen: "Go to Open",
  model: "Model",
  data: "Data",
  reading: "Reading the data as the model reads it.",
  coverage: "What is trained on",
  example: (at: number, all: number): string => `Example ${whole(at)} of ${whole(all)}`,
  summary: (trained: number, seen: number): string => `${whole(trained)} of ${whole(seen)} tokens are trained on`,
  previous: "Previous example",
  next: "Next example",
  number: "Number of the example",
  legend: { trained: "trained", ignored: "ignored", end: "ends the answer", cut: "cut off", border: "document ends" },
  tokens: "Tokens",
  choose: "Click a token, or move with the arrow keys, to see its number and why.",
  chosen: (id: number, from: number, to: number): string => `Token ${id}, characters ${from} to ${to}`,
  settings: "Change the length, the mask or the columns",
} as const;
