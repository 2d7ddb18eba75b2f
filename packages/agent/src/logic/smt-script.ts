import { logicError } from "./logic-error.js";
import { expressionsOf } from "./s-expressions.js";

/** Commands that declare and define; those that read files, write output or set options are not among them. */
const DECLARING: ReadonlySet<string | undefined> = new Set([
  "declare-const",
  "declare-fun",
  "declare-sort",
  "declare-datatype",
  "declare-datatypes",
  "define-const",
  "define-fun",
  "define-fun-rec",
  "define-funs-rec",
  "define-sort",
]);

/** What is asked of the SMT solver. */
export interface SmtQuestion {
  /** Commands: `(declare-const x Int)`. */
  readonly declarations: string;
  /** Terms, each with the name that it has in an unsat core. */
  readonly assertions: readonly { readonly name: string; readonly term: string }[];
}

/** SMT-LIB 2 that asserts all terms by name. @throws ConfigError kinds `logic`, `limit` for commands that do not declare, and for what is not one term */
export function smtScript({ declarations, assertions }: SmtQuestion): string {
  const declared = expressionsOf(declarations).map(({ text, head }) => {
    if (!DECLARING.has(head)) throw logicError(`SMT-LIB: ${text.slice(0, 60)} is no declaration`, `there are ${[...DECLARING].join(", ")}`);
    return text;
  });
  const asserted = assertions.map(({ name, term }) => {
    const terms = expressionsOf(term);
    if (terms.length !== 1) throw logicError(`SMT-LIB: ${JSON.stringify(term.slice(0, 60))} is ${terms.length} terms, expected one`);
    return `(assert (! ${terms[0]!.text} :named ${name}))`;
  });
  return [...declared, ...asserted].join("\n");
}
