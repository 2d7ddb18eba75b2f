import { Budget, OverBudget } from "./budget.js";
import { type Compiled, GENERATION } from "./compile.js";
import { Environment, Interpreter, type Program, type Scope, type Statement, type Value } from "./jinja.js";
import { MAX_RANGE } from "./limits.js";
import { add, capitalize, equal, pythonName, str, strip, textValue, truthValue } from "./python.js";
import { strftime } from "./strftime.js";
import { messagesError, templateError } from "./template-error.js";

/** What a template calls when the messages are not as it wants them. */
class Refused extends Error {}

/** What statements of some type have, as far as it is looked at here. */
interface Node extends Statement {
  readonly operator: { readonly value: string };
  readonly left: Node;
  readonly right: Node;
  readonly operand: Node;
  readonly filter: Node;
  readonly callee: Node;
  readonly args: readonly Node[];
  readonly object: Node;
  readonly property: Node;
  readonly computed: boolean;
  readonly value: unknown;
  readonly call: Node;
  readonly body: Statement[];
}

const SIDES = { strip: "both", lstrip: "left", rstrip: "right" } as const;

/** `range` of Python, with no more numbers than jinja's sandbox allows. */
function range(first: number, second?: number, step = 1): number[] {
  const [from, to] = second === undefined ? [0, first] : [first, second];
  if (step === 0) throw new Error("range: the step is 0");
  const count = Math.max(0, Math.ceil((to - from) / step));
  if (count > MAX_RANGE) throw new OverBudget(`a range of ${count} numbers, at most ${MAX_RANGE} are made`);
  return Array.from({ length: count }, (_, i) => from + i * step);
}

/** The variables of a template: those of transformers' environment, then those given. */
function environmentOf(variables: Readonly<Record<string, unknown>>, now: Date): Scope {
  const environment = new Environment();
  const constants = { true: true, True: true, false: false, False: false, none: null, None: null };
  const functions = {
    range,
    strftime_now: (format: string) => strftime(now, format),
    raise_exception: (message: unknown) => {
      throw new Refused(String(message));
    },
  };
  // `namespace` is there already; what is given comes last and replaces what has its name, as in Python.
  const all = new Map(Object.entries({ ...constants, ...functions, ...variables }));
  for (const [name, value] of all) if (name !== "namespace") environment.set(name, value);
  return environment;
}

/** Runs templates as transformers does: within a budget, with the line of what fails, and with Python's texts where those of JavaScript differ. */
class ChatInterpreter extends Interpreter {
  /** That of the statement being run. */
  line: number | undefined;
  readonly #compiled: Compiled;
  readonly #marks: readonly [open: string, close: string] | undefined;
  readonly #budget = new Budget();

  constructor(environment: Scope, compiled: Compiled, marks: readonly [string, string] | undefined) {
    super(environment);
    this.#compiled = compiled;
    this.#marks = marks;
  }

  override evaluate(statement: Statement | undefined, environment: Scope): Value {
    if (!statement) return super.evaluate(statement, environment);
    const { lines, outputs, iterated } = this.#compiled;
    const before = this.line;
    this.line = lines.get(statement) ?? before;
    const value = this.#budget.spend(this.#evaluate(statement as Node, environment), iterated.has(statement));
    const result = outputs.has(statement) ? this.#budget.spend(textValue(str(value))) : value;
    this.line = before;
    return result;
  }

  #evaluate(node: Node, environment: Scope): Value {
    return (
      (node.type === "BinaryExpression" && this.#binary(node, environment)) ||
      (node.type === "CallExpression" && this.#method(node, environment)) ||
      (node.type === "FilterExpression" && this.#filter(node, environment)) ||
      (node.type === "CallStatement" && this.#generation(node, environment)) ||
      super.evaluate(node, environment)
    );
  }

  #binary({ operator: { value: operator }, left, right }: Node, environment: Scope): Value | undefined {
    if (operator !== "==" && operator !== "!=" && operator !== "~" && operator !== "+") return undefined;
    const [a, b] = [this.evaluate(left, environment), this.evaluate(right, environment)];
    if (operator === "+") return add(a, b);
    return operator === "~" ? textValue(str(a) + str(b)) : truthValue(equal(a, b) === (operator === "=="));
  }

  /** Methods of texts that the library has otherwise than Python. */
  #method({ callee, args }: Node, environment: Scope): Value | undefined {
    const name = callee.type === "MemberExpression" && !callee.computed ? String(callee.property.value) : "";
    if (!Object.hasOwn(SIDES, name) && name !== "capitalize") return undefined;
    const text = this.#text(callee.object, environment, `.${name}()`);
    if (name === "capitalize") return textValue(capitalize(text));
    const [characters] = args.map((one) => this.#text(one, environment, `the argument of .${name}()`));
    return textValue(strip(text, SIDES[name as keyof typeof SIDES], characters));
  }

  #filter({ operand, filter }: Node, environment: Scope): Value | undefined {
    const [name, args] = filter.type === "Identifier" ? [filter.value, []] : [filter.callee.value, filter.args];
    if (name === "string") return textValue(str(this.evaluate(operand, environment)));
    if (name === "capitalize") return textValue(capitalize(str(this.evaluate(operand, environment))));
    if (name !== "trim") return undefined;
    const [characters] = args.map((one) => this.#text(one, environment, "the argument of trim"));
    return textValue(strip(str(this.evaluate(operand, environment)), "both", characters));
  }

  #text(node: Node, environment: Scope, what: string): string {
    const value = this.evaluate(node, environment);
    if (value.type !== "StringValue") throw new Error(`${what} takes a str, got ${pythonName(value)}`);
    return value.value as string;
  }

  #generation({ call, body }: Node, environment: Scope): Value | undefined {
    if (call.callee.value !== GENERATION) return undefined;
    const inside = str(this.evaluate({ type: "Program", body } as Program, new Environment(environment)));
    return textValue(this.#marks ? this.#marks[0] + inside + this.#marks[1] : inside);
  }
}

/**
 * The text of a template.
 * @param marks what to write before and after the text of a `{% generation %}` block
 * @throws FormatError kinds `chat-template`, `limit`; ConfigError kind `chat-messages` where the template refuses the messages
 */
export function runTemplate(
  compiled: Compiled,
  variables: Readonly<Record<string, unknown>>,
  { now = new Date(), marks }: { readonly now?: Date | undefined; readonly marks?: readonly [string, string] | undefined },
): string {
  const interpreter = new ChatInterpreter(environmentOf(variables, now), compiled, marks);
  try {
    return str(interpreter.run(compiled.program));
  } catch (error) {
    const { line } = interpreter;
    if (error instanceof Refused)
      throw messagesError(`the chat template, line ${line}, refuses the messages: ${error.message}`, undefined, error);
    if (error instanceof OverBudget) throw templateError(compiled.origin, line, error.message, { kind: "limit", cause: error });
    const message = error instanceof RangeError ? "calls itself without end, or makes a text without end" : (error as Error).message;
    throw templateError(compiled.origin, line, message, { cause: error });
  }
}
