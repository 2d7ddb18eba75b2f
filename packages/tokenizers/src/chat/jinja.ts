// The library's types refer to each other without extensions, which resolves to nothing under `nodenext`: what is used of them is written down here.
import * as library from "@huggingface/jinja";

/** A token of a template. */
export interface Token {
  readonly type: string;
  readonly value: string;
}

/** A statement or an expression; the type says which, and what else it has. */
export interface Statement {
  readonly type: string;
}

/** A whole template. */
export interface Program extends Statement {
  readonly body: Statement[];
}

/** A value while a template runs. */
export interface Value {
  readonly type: string;
  readonly value: unknown;
  toString(): string;
}

/** Variables of a scope. */
export interface Scope {
  /** Declares a variable. @returns its value */
  set(name: string, value: unknown): Value;
}

interface Runner {
  run(program: Program): Value;
  evaluate(statement: Statement | undefined, scope: Scope): Value;
}

interface Library {
  readonly tokenize: (source: string, options: { readonly trim_blocks: boolean; readonly lstrip_blocks: boolean }) => Token[];
  readonly parse: (tokens: readonly Token[]) => Program;
  readonly Environment: new (parent?: Scope) => Scope;
  readonly Interpreter: new (scope: Scope) => Runner;
}

const typed = library as unknown as Library;
export const tokenize: Library["tokenize"] = typed.tokenize;
export const parse: Library["parse"] = typed.parse;
export const Environment: Library["Environment"] = typed.Environment;
export const Interpreter: Library["Interpreter"] = typed.Interpreter;
