import type { StartLayer } from "./start.js";

/**
 * EVA's ranks: of all layers' components those that explain most of their inputs, as many as all ranks together.
 * @param leaders a layer → the one whose components it has too
 * @param shares of the variance, by leader, the largest first
 * @see peft `tuners/lora/eva.py` _get_rank_distribution
 */
export function distributeRanks(
  layers: readonly StartLayer[],
  leaders: ReadonlyMap<string, string>,
  shares: ReadonlyMap<string, Float64Array>,
): Map<string, number> {
  const budget = layers.reduce((sum, { config }) => sum + config.r, 0);
  const isLeader = ({ path }: StartLayer): boolean => leaders.get(path) === path;
  const ordered = [...layers.filter(isLeader), ...layers.filter((layer) => !isLeader(layer))];
  const all = ordered.flatMap(({ path }) => Array.from(shares.get(leaders.get(path)!)!, (share) => ({ path, share })));
  const ranks = new Map(layers.map(({ path }) => [path, 0]));
  for (const { path } of all.toSorted((a, b) => b.share - a.share).slice(0, budget)) ranks.set(path, ranks.get(path)! + 1);
  // Whoever records has the highest rank of those that see the same.
  for (const { path } of ordered) {
    const leader = leaders.get(path)!;
    const [own, its] = [ranks.get(path)!, ranks.get(leader)!];
    if (its < own) {
      ranks.set(leader, own);
      ranks.set(path, its);
    }
  }
  return ranks;
}
