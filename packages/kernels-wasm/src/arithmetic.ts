/** How products are computed. */
export interface Arithmetic {
  /** They are fused multiply-adds, with one rounding. */
  readonly fused: boolean;
  /** A row has the same bits whatever other rows are computed with it. */
  readonly rowIndependent: boolean;
}
