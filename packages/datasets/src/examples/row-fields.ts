import type { ChatMessage } from "@weft/tokenizers/chat";
import { dataError, describeValue } from "../data-error.js";
import type { Row } from "../read/row.js";
import type { Turns } from "./example.js";

/** Names of messages' roles in ShareGPT's files. */
const ROLES: Readonly<Record<string, string>> = {
  human: "user",
  user: "user",
  gpt: "assistant",
  assistant: "assistant",
  chatgpt: "assistant",
  bing: "assistant",
  system: "system",
  tool: "tool",
  function: "tool",
  observation: "tool",
};

type Fields = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value);

/** A row by the names that formats have, whatever its columns are called. */
export class RowFields {
  readonly row: Row;
  readonly #columns: Readonly<Record<string, string>>;

  constructor(row: Row, columns: Readonly<Record<string, string>>) {
    this.row = row;
    this.#columns = columns;
  }

  #column(name: string): string {
    return Object.hasOwn(this.#columns, name) ? this.#columns[name]! : name;
  }

  value(name: string): unknown {
    const column = this.#column(name);
    return Object.hasOwn(this.row.values, column) ? this.row.values[column] : undefined;
  }

  /** Whether the row has it, and it is not null. */
  has(name: string): boolean {
    const value = this.value(name);
    return value !== undefined && value !== null;
  }

  /** @returns the error to throw */
  wrong(name: string, expected: string, got: string = describeValue(this.value(name))): Error {
    return dataError("dataset-row", `expected ${expected}, got ${got}`, { ...this.row.place, column: this.#column(name) });
  }

  text(name: string): string {
    const value = this.value(name);
    if (typeof value !== "string") throw this.wrong(name, "a text");
    return value;
  }

  boolean(name: string): boolean {
    const value = this.value(name);
    if (typeof value === "boolean") return value;
    // CSV has texts only, and other files numbers.
    if (value === 1 || (typeof value === "string" && /^(true|1)$/i.test(value))) return true;
    if (value === 0 || (typeof value === "string" && /^(false|0)$/i.test(value))) return false;
    throw this.wrong(name, "true or false");
  }

  /** Messages as transformers has them, or as ShareGPT: `{from, value}`. */
  messages(name: string): ChatMessage[] {
    const value = this.value(name);
    if (!Array.isArray(value) || value.length === 0) throw this.wrong(name, "a list of messages");
    return value.map((message: unknown, i) => {
      const place = `message ${i}`;
      if (!isObject(message)) throw this.wrong(name, "messages", `${place}: ${describeValue(message)}`);
      const { role, from, value: said } = message;
      if (typeof role === "string") return message as ChatMessage;
      const known = typeof from === "string" && Object.hasOwn(ROLES, from) ? ROLES[from] : undefined;
      if (known === undefined)
        throw this.wrong(name, "messages with `role` and `content`, or `from` and `value`", `${place}: from ${describeValue(from)}`);
      if (typeof said !== "string") throw this.wrong(name, "texts in `value`", `${place}: ${describeValue(said)}`);
      return { role: known, content: said };
    });
  }

  /** A text or messages; of one message alone, a list of it. */
  turns(name: string): Turns {
    const value = this.value(name);
    if (Array.isArray(value)) return this.messages(name);
    if (typeof value !== "string") throw this.wrong(name, "a text or a list of messages");
    return value;
  }

  /** Functions, as JSON or its text. */
  tools(): { readonly tools?: readonly object[] } {
    if (!this.has("tools")) return {};
    let value = this.value("tools");
    if (typeof value === "string") {
      try {
        value = JSON.parse(value) as unknown;
      } catch {
        throw this.wrong("tools", "a list of functions, or its JSON");
      }
    }
    if (!Array.isArray(value) || !value.every(isObject)) throw this.wrong("tools", "a list of functions as JSON schemas");
    return value.length === 0 ? {} : { tools: value };
  }
}
