export {
  additive,
  basics,
  type Definition,
  fixed,
  last,
  lowRank,
  normal,
  rankFrom,
  requireAtMost,
  requireMultiples,
  rewriting,
  type Size,
  stored,
  times,
  trained,
  wide,
} from "./define.js";
export { BY_LAYER, BY_NAME, count, fields, optional, rank, ranks, seed } from "./fields.js";
