import type { Place } from "../data-error.js";

/** A row of data: its values by column, and where it stands. */
export interface Row {
  readonly values: Readonly<Record<string, unknown>>;
  readonly place: Place;
}
