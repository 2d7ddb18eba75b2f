/** How many positions a model was made for, if its config says so: recurrent models have no such number. */
export function positionsOf(config: object): number | undefined {
  const { maxPositions } = config as { readonly maxPositions?: unknown };
  return typeof maxPositions === "number" ? maxPositions : undefined;
}
