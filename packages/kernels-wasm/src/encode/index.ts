export { type AffineSearch, BlockSearch, blockSearch } from "./block-search.js";
export { encodeFourBitBlocks, type LevelTable } from "./four-bit.js";
