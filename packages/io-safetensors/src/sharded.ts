// Checkpoints of several files and their index. An entry of its own, as most adapters are one file.
export { openIndex } from "./open-index.js";
export { MAX_INDEX_BYTES, parseShardIndex, type ShardIndex } from "./shard-index.js";
