/** Names for a message: the first five, then a count; long ones are cut, as they come from a file. */
export function listNames(names: readonly string[]): string {
  const shown = names.slice(0, 5).map((name) => (name.length > 120 ? `${name.slice(0, 119)}…` : name));
  return shown.join(", ") + (names.length > 5 ? `, and ${names.length - 5} more` : "");
}
