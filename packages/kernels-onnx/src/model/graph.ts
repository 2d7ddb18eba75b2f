import {
  type Attribute,
  type ElementType,
  type ExternalData,
  externalTensorMessage,
  modelMessage,
  type Node,
  nodeMessage,
  tensorMessage,
  valueMessage,
} from "./messages.js";
import { Writer } from "./writer.js";

/** Bytes of a typed array, not copied. */
const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);

/** A constant whose bytes are in a file. */
export interface External {
  readonly location: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
}

/** Of constants that are compared with others. */
const SHARED_BYTES = 1 << 14;
/** Gives every byte a character of its own. */
const latin1 = new TextDecoder("latin1");

/** A graph of ONNX being built: nodes in the order of their calls, values by name. */
export class Graph {
  /** What the names of nodes made from now on begin with, by which errors of the runtime call them. */
  label = "";
  private readonly nodes: Node[] = [];
  private readonly made = new Set<string>();
  private readonly renamed = new Map<string, string>();
  private readonly constants = new Map<string, string>();
  /** Results of calls by operator, inputs and attributes. */
  private readonly calls = new Map<string, readonly string[]>();
  private readonly inFiles = new Map<string, External>();
  private readonly declared = new Writer();
  private readonly prefix: string;
  private next = 0;

  /** @param prefix of the names of its values: a body of a loop sees those of the graph around it */
  constructor(prefix: string = "v") {
    this.prefix = prefix;
  }

  /** Calls an operator with one result. @returns the result's name */
  node(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain: string = "",
    small: boolean = false,
  ): string {
    return this.call(op, inputs, 1, attributes, domain, small)[0]!;
  }

  /**
   * Calls an operator. What was called already under the same label is not called again: operators are functions. Under another it may be meant to be computed
   * anew, so that it need not be held meanwhile, unless it is said to be `small`.
   */
  call(
    op: string,
    inputs: readonly string[],
    results: number,
    attributes: Readonly<Record<string, Attribute>> = {},
    domain: string = "",
    small: boolean = false,
  ): readonly string[] {
    // A body is a graph of its own.
    if ("body" in attributes) return this.add(op, inputs, results, attributes, domain);
    const key = `${small ? "" : this.label} ${domain}.${op}(${inputs})${JSON.stringify(attributes)}`;
    const known = this.calls.get(key);
    if (known) return known;
    const outputs = this.add(op, inputs, results, attributes, domain);
    this.calls.set(key, outputs);
    return outputs;
  }

  private add(
    op: string,
    inputs: readonly string[],
    results: number,
    attributes: Readonly<Record<string, Attribute>>,
    domain: string,
  ): readonly string[] {
    const outputs = Array.from({ length: results }, () => this.name());
    this.nodes.push({ op, domain, name: `${this.label}.${this.nodes.length}`, inputs, outputs, attributes });
    for (const output of outputs) this.made.add(output);
    return outputs;
  }

  /** A constant; equal small ones are one. */
  constant(type: ElementType, shape: readonly number[], values: ArrayBufferView): string {
    const bytes = bytesOf(values);
    const key = bytes.length <= SHARED_BYTES ? `${type}|${shape}|${latin1.decode(bytes)}` : undefined;
    const known = key === undefined ? undefined : this.constants.get(key);
    if (known !== undefined) return known;
    const name = this.name();
    this.declared.message(5, tensorMessage(name, type, shape, bytes));
    if (key !== undefined) this.constants.set(key, name);
    return name;
  }

  /** A constant whose bytes are in a file: `location` names it until the model is written, and is the file's name if nothing else is said then. */
  external(location: string, type: ElementType, shape: readonly number[]): string {
    const name = this.name();
    this.inFiles.set(name, { location, type, shape });
    return name;
  }

  /** Constants in files, by name. */
  get externals(): ReadonlyMap<string, External> {
    return this.inFiles;
  }

  input(name: string, type: ElementType, shape: readonly number[]): string {
    this.declared.message(11, valueMessage(name, type, shape));
    return name;
  }

  /** Makes a value a result of the graph under this name; of whatever shape if none is given. */
  output(name: string, value: string, type: ElementType, shape?: readonly number[]): void {
    this.declared.message(12, valueMessage(name, type, shape));
    // The value itself, so that nothing is copied; but for inputs, constants, and what is a result already.
    const source =
      this.made.has(value) && !this.renamed.has(value) ? value : this.add("Identity", [this.renamed.get(value) ?? value], 1, {}, "")[0]!;
    this.renamed.set(source, name);
  }

  /** The graph as the body of a loop. */
  body(): Writer {
    const w = new Writer();
    for (const node of this.wanted())
      w.message(
        1,
        nodeMessage(node, (value) => this.renamed.get(value) ?? value),
      );
    w.text(2, "graph");
    w.append(this.declared);
    return w;
  }

  /** The graph as a model. @param dataOf where the bytes of constants are that lie in files */
  model(dataOf: (location: string) => ExternalData = (location) => [["location", location]]): Uint8Array<ArrayBuffer> {
    const graph = this.body();
    for (const [name, { location, type, shape }] of this.inFiles)
      graph.message(5, externalTensorMessage(name, type, shape, dataOf(location)));
    return modelMessage(graph).finish();
  }

  /** The nodes that results are made of: the runtime would run the others, too. */
  wanted(): readonly Node[] {
    const needed = new Set(this.renamed.keys());
    const wanted = this.nodes.toReversed().filter(({ inputs, outputs }) => {
      if (!outputs.some((output) => needed.has(output))) return false;
      for (const input of inputs) needed.add(input);
      return true;
    });
    return wanted.toReversed();
  }

  private name(): string {
    return `${this.prefix}${this.next++}`;
  }
}
