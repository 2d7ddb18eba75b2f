// Dense linear algebra on the host, in f64: for what happens once per layer, not in a graph. Only randomizedSvd works on a device.
export { inverseCholesky } from "./inverse-cholesky.js";
export { jacobiSvd, type Svd } from "./jacobi-svd.js";
export { torchSvd } from "./lapack/torch-svd.js";
export { torchSvdLowRank } from "./torch-svd-low-rank.js";
export { lowRankSvd } from "./low-rank-svd.js";
export { luBasis } from "./lu-basis.js";
export { columns, matrix, type Matrix, product, transposed } from "./matrix.js";
export { upperRow, upperSize } from "./packed-upper.js";
export { qr } from "./qr.js";
export { randomizedSvd, type RandomizedSvdOptions } from "./randomized-svd.js";
export { solveSpd } from "./solve-spd.js";
export { singularValues } from "./singular-values.js";
export { solve } from "./solve.js";
export { FULL_SVD_LIMIT, truncatedSvd } from "./truncated-svd.js";
