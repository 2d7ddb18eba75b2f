import { parse, type Program, type Statement, type Token, tokenize } from "./jinja.js";
import { MAX_TEMPLATE_LENGTH, MAX_WHITE_SPACE } from "./limits.js";
import { type Tag, tagsOf } from "./tags.js";
import { templateError, type TemplateOrigin } from "./template-error.js";

/** What a `{% generation %}` block becomes: a call, which has the scope that transformers gives it. No name of a template has this form. */
export const GENERATION = "generation__";

/** A template, ready to run. */
export interface Compiled {
  readonly program: Program;
  /** Lines of the statements and expressions that stand between texts, from 1. */
  readonly lines: WeakMap<object, number>;
  /** Expressions whose values go into the text. */
  readonly outputs: WeakSet<object>;
  /** Expressions that loops run over. */
  readonly iterated: WeakSet<object>;
  /** Whether it has `{% generation %}` blocks. */
  readonly marksGeneration: boolean;
  readonly origin: TemplateOrigin;
}

const SETTINGS = { trim_blocks: true, lstrip_blocks: true };
const NOT_OUTPUT = new Set(["Set", "If", "For", "Macro", "CallStatement", "FilterStatement", "Break", "Continue", "Comment"]);
/** Comments are read over, so that lines can travel in them. */
const LINE = "Comment";

/** The same template with its `{% generation %}` tags as calls. */
function withCalls(source: string, tags: readonly Tag[]): { source: string; found: boolean } {
  let out = "";
  let at = 0;
  let found = false;
  for (const { kind, from, to } of tags) {
    const [, before, end, after] =
      (kind === "statement" && /^\{%([-+]?)\s*(end)?generation\s*([-+]?)%\}$/.exec(source.slice(from, to))) || [];
    if (before === undefined) continue;
    out += `${source.slice(at, from)}{%${before} ${end ? "endcall" : `call ${GENERATION}()`} ${after}%}`;
    at = to;
    found = true;
  }
  return { source: out + source.slice(at), found };
}

/** Tokens of a source; what cannot be read is an error at the first tag without which it could be. */
function tokensOf(source: string, tags: readonly Tag[], origin: TemplateOrigin): Token[] {
  const reads = (end: number): unknown => {
    try {
      tokenize(source.slice(0, end), SETTINGS);
      return undefined;
    } catch (error) {
      return error;
    }
  };
  try {
    return tokenize(source, SETTINGS);
  } catch (error) {
    let [low, high] = [0, tags.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (reads(tags[middle]!.to) === undefined) low = middle + 1;
      else high = middle;
    }
    throw templateError(origin, tags[low]?.line, (error as Error).message, { cause: error });
  }
}

/** Before each tag a comment that holds its line, from which {@link annotate} takes it: tokens have no place, and statements no tokens. */
function withLines(tokens: readonly Token[], tags: readonly Tag[]): { tokens: Token[]; lines: number[] } {
  const opening = tags.filter(({ kind }) => kind !== "comment");
  const out: Token[] = [];
  const lines: number[] = [];
  let next = 0;
  let line = 1;
  for (const token of tokens) {
    if (token.type === "Comment") continue;
    if (token.type === "OpenStatement" || token.type === "OpenExpression") {
      line = opening[next++]?.line ?? line;
      out.push({ type: LINE, value: String(line) });
      lines.push(line);
    }
    out.push(token);
    lines.push(line);
  }
  return { tokens: out, lines };
}

/** What a loop runs over. */
interface Loop {
  readonly iterable: Statement & { readonly lhs?: Statement };
}

/** Takes the lines out of a block and notes them, with which expressions make text and which are looped over. @returns the line of what ends the block */
function annotate(block: Statement[], notes: Pick<Compiled, "lines" | "outputs" | "iterated">): number | undefined {
  const { lines, outputs, iterated } = notes;
  let line: number | undefined;
  const kept: Statement[] = [];
  for (const statement of block) {
    if (statement.type === LINE) {
      line = Number((statement as unknown as { value: string }).value);
      continue;
    }
    if (line !== undefined) lines.set(statement, line);
    line = undefined;
    if (statement.type === "For") {
      const { iterable } = statement as unknown as Loop;
      iterated.add(iterable.type === "SelectExpression" ? iterable.lhs! : iterable);
    }
    if (!NOT_OUTPUT.has(statement.type)) outputs.add(statement);
    const { body, alternate, defaultBlock } = statement as unknown as Partial<Record<"body" | "alternate" | "defaultBlock", Statement[]>>;
    const branch = body && annotate(body, notes);
    // An `elif` is an `if` in the other branch, whose line stands at the end of the first.
    if (alternate?.[0]?.type === "If" && branch !== undefined) lines.set(alternate[0], branch);
    if (alternate) annotate(alternate, notes);
    if (defaultBlock) annotate(defaultBlock, notes);
    kept.push(statement);
  }
  block.splice(0, block.length, ...kept);
  return line;
}

/**
 * Reads a template.
 * @throws FormatError kinds `chat-template`, `limit`
 */
export function compileTemplate(text: string, origin: TemplateOrigin): Compiled {
  if (text.length > MAX_TEMPLATE_LENGTH)
    throw templateError(origin, undefined, `${text.length} characters, at most ${MAX_TEMPLATE_LENGTH} are read`, { kind: "limit" });
  const normal = text.replace(/\r\n?/g, "\n");
  const blank = new RegExp(`\\s{${MAX_WHITE_SPACE + 1}}`).exec(normal);
  if (blank) {
    const line = normal.slice(0, blank.index).split("\n").length;
    throw templateError(origin, line, `more than ${MAX_WHITE_SPACE} characters of white space`, { kind: "limit" });
  }
  const { source, found } = withCalls(normal, tagsOf(normal));
  // Calls stand on the lines of the tags that they are in place of.
  const tags = tagsOf(source);
  const { tokens, lines: lineOfToken } = withLines(tokensOf(source, tags, origin), tags);
  let read = 0;
  const watched = new Proxy(tokens, {
    get(target, name) {
      const index = typeof name === "string" ? Number(name) : Number.NaN;
      if (index > read) read = index;
      return Reflect.get(target, name) as unknown;
    },
  });
  try {
    const program = parse(watched);
    const notes = { lines: new WeakMap<object, number>(), outputs: new WeakSet<object>(), iterated: new WeakSet<object>() };
    annotate(program.body, notes);
    return { program, ...notes, marksGeneration: found, origin };
  } catch (error) {
    const ended = read >= tokens.length;
    const message = ended ? "ends inside of a block or a tag" : (error as Error).message;
    throw templateError(origin, lineOfToken[Math.min(read, tokens.length - 1)], message, { cause: error });
  }
}
