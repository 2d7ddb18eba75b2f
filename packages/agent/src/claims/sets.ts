import { ConfigError } from "@weft/tensor-core";
import { fraction } from "../exact/format.js";
import { negate, parseDecimal } from "../exact/rational.js";
import type { SetClaim, Verdict } from "./claim.js";

const check = "set";
/** Longest claim, in UTF-16 units. */
const MAX_LENGTH = 10_000;

/** A set by its members' canonical forms, or one thing. */
type SetValue = { readonly kind: "set"; readonly members: ReadonlySet<string> } | { readonly kind: "one"; readonly text: string };

const setError = (message: string): ConfigError =>
  new ConfigError(message, {
    kind: "calculation",
    hint: "write {1, 2} union {3} = {1, 2, 3}, 2 in {1, 2}, {1} subset {1, 2} or size({1, 2}) = 2",
  });

const PIECE = /\s*("(?:[^"\\]|\\.)*"|not\s+in\b|!=|[{}(),=\\∪∩⊆∈∉≠∅-]|\d+(?:\.\d+)?|[\p{L}_][\p{L}\p{N}_]*)/uy;
const UNITE = ["union", "∪"];
const COMMON = ["intersect", "∩"];
const WITHOUT = ["minus", "\\"];
const RELATIONS: { readonly [sign: string]: "equal" | "unequal" | "subset" | "in" | "out" } = {
  "=": "equal",
  "!=": "unequal",
  "≠": "unequal",
  subset: "subset",
  "⊆": "subset",
  in: "in",
  "∈": "in",
  "not in": "out",
  "∉": "out",
};

/** Computes both sides of a relation of finite sets. @throws ConfigError kind `calculation` */
export function checkSet({ claim }: SetClaim): Verdict {
  if (claim.length > MAX_LENGTH) throw setError(`the claim has more than ${MAX_LENGTH} characters`);
  const pieces = piecesOf(claim);
  let place = 0;
  const wrong = (): Error =>
    setError(`${JSON.stringify(claim)}: ${pieces[place] === undefined ? "ends too early" : `${pieces[place]} means nothing here`}`);
  const take = (any: readonly string[]): boolean => any.includes(pieces[place] ?? "") && ++place > 0;
  const members = (value: SetValue): ReadonlySet<string> => {
    if (value.kind !== "set") throw setError(`${value.text} is no set`);
    return value.members;
  };
  const combined = (depth: number): SetValue => {
    let left = primary(depth);
    for (;;) {
      const operation = [UNITE, COMMON, WITHOUT].findIndex((names) => take(names));
      if (operation < 0) return left;
      const [a, b] = [members(left), members(primary(depth))];
      const kept = operation === 0 ? [...a, ...b] : [...a].filter((one) => b.has(one) === (operation === 1));
      left = { kind: "set", members: new Set(kept) };
    }
  };
  const primary = (depth: number): SetValue => {
    if (depth > 50) throw setError("sets are nested more than 50 deep");
    if (take(["∅"])) return { kind: "set", members: new Set() };
    if (take(["{"])) {
      const found = new Set<string>();
      if (take(["}"])) return { kind: "set", members: found };
      do found.add(canonical(combined(depth + 1)));
      while (take([","]));
      if (!take(["}"])) throw wrong();
      return { kind: "set", members: found };
    }
    if (pieces[place] === "size" && pieces[place + 1] === "(") {
      place += 2;
      const of = combined(depth + 1);
      if (!take([")"])) throw wrong();
      return { kind: "one", text: `${members(of).size}` };
    }
    if (take(["("])) {
      const inner = combined(depth + 1);
      if (!take([")"])) throw wrong();
      return inner;
    }
    return { kind: "one", text: element() };
  };
  const element = (): string => {
    const minus = take(["-"]);
    const piece = pieces[place];
    if (piece !== undefined && /^\d/u.test(piece)) {
      place++;
      const value = parseDecimal(piece);
      return fraction(minus ? negate(value) : value);
    }
    if (minus || piece === undefined || !/^["\p{L}_]/u.test(piece)) throw wrong();
    place++;
    return piece.startsWith('"') ? unquoted(piece) : piece;
  };
  const left = combined(0);
  const relation = Object.hasOwn(RELATIONS, pieces[place] ?? "") ? RELATIONS[pieces[place++]!]! : undefined;
  if (!relation) throw wrong();
  const right = combined(0);
  if (place < pieces.length) throw wrong();
  return verdict(left, relation, right, members);
}

function verdict(left: SetValue, relation: string, right: SetValue, members: (value: SetValue) => ReadonlySet<string>): Verdict {
  const detail = `the left side is ${canonical(left)}, the right ${canonical(right)}`;
  const truth = {
    equal: () => canonical(left) === canonical(right),
    unequal: () => canonical(left) !== canonical(right),
    subset: () => [...members(left)].every((one) => members(right).has(one)),
    in: () => members(right).has(canonical(left)),
    out: () => !members(right).has(canonical(left)),
  }[relation as "equal"]();
  return truth ? { status: "verified", check, detail } : { status: "refuted", check, witness: detail };
}

/** A word loses its quotes, so that `"a"` is `a`; other texts keep them. */
const unquoted = (piece: string): string => (/^"[\p{L}_][\p{L}\p{N}_]*"$/u.test(piece) ? piece.slice(1, -1) : piece);

const canonical = (value: SetValue): string => (value.kind === "one" ? value.text : `{${[...value.members].toSorted().join(", ")}}`);

function piecesOf(text: string): readonly string[] {
  const pieces: string[] = [];
  for (let at = 0; text.slice(at).trim() !== ""; at = PIECE.lastIndex) {
    PIECE.lastIndex = at;
    const found = PIECE.exec(text);
    if (!found) throw setError(`${JSON.stringify(text)}: ${text.slice(at).trim()[0]} means nothing here`);
    pieces.push(found[1]!.replace(/^not\s+in$/u, "not in"));
  }
  return pieces;
}
