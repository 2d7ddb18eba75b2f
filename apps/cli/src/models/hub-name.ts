import { knownModel } from "@weft/zoo";

/** The hub's id of what a person names: a known model, `user/repo[@revision]`, with `hf:` or without. */
export function hubName(name: string): string {
  const known = knownModel(name);
  if (known) return `hf:${known.repo}`;
  return name.startsWith("hf:") ? name : `hf:${name}`;
}
