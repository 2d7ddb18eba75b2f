export { type KohyaHashes, kohyaHashes } from "./kohya-hashes.js";
