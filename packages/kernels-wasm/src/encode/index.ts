export { type AffineSearch, BlockSearch, blockSearch } from "./block-search.js";
export { encodeBlocksOf32 } from "./blocks-of-32.js";
export { encodeFourBitBlocks, type LevelTable } from "./four-bit.js";
