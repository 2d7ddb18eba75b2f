const YEAR = "\\d{4}";
const DAYS = "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|1\\d|2[0-8]))";
const DATE = `${YEAR}-${DAYS}`;
const LABEL = "[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?";

/** What each `format` is here: never more than the format allows. Dates leave out 29 February, times leap seconds, addresses all that is not in common use. */
export const FORMATS: ReadonlyMap<string, string> = new Map([
  ["date", `^${DATE}$`],
  ["date-time", `^${DATE}T(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,9})?(?:Z|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)$`],
  ["email", `^[a-z0-9_+-]+(?:\\.[a-z0-9_+-]+)*@${LABEL}(?:\\.${LABEL})+$`],
  ["uuid", "^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"],
]);
