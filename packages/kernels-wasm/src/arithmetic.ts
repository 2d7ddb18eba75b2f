/** What products with packed weights compute their other factor with: f32, or integers of 8 bits with a scale for 32 neighbours. */
export type Activations = "f32" | "int8";

/** How products are computed. */
export interface Arithmetic {
  /** They are fused multiply-adds, with one rounding. */
  readonly fused: boolean;
  /** A row has the same bits whatever other rows are computed with it. */
  readonly rowIndependent: boolean;
  readonly activations: Activations;
}
