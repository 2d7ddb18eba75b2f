import { Graph } from "./graph.js";
import { type Attribute, type Node, TYPE } from "./messages.js";

/** A product whose second factor is a constant in a file. */
export interface Product {
  readonly node: Node;
  /** Of the second factor. */
  readonly location: string;
}

/** Columns of the first factor, of the operators that the runtime packs second factors for. */
const WIDTH: { readonly [op: string]: (attributes: Readonly<Record<string, Attribute>>, factor: readonly number[]) => number } = {
  MatMul: (_, factor) => factor.at(-2)!,
  FusedMatMul: ({ transB }, factor) => factor.at(transB === 1 ? -1 : -2)!,
  Gemm: ({ transB }, factor) => factor.at(transB === 1 ? -1 : -2)!,
  MatMulNBits: ({ K }) => K as number,
};

/** The products of a graph whose second factor is in a file: one for each factor. */
export function productsOf(graph: Graph): Product[] {
  const products = new Map<string, Product>();
  for (const node of graph.wanted()) {
    const factor = graph.externals.get(node.inputs[1] ?? "");
    if (WIDTH[node.op] && factor && factor.shape.length > 1 && !products.has(factor.location))
      products.set(factor.location, { node, location: factor.location });
  }
  return [...products.values()];
}

/** A graph of nothing but products, without what they have of other values. @returns it, and the names of the second factors there */
export function graphOf(
  products: readonly Product[],
  { externals }: Graph,
): { readonly graph: Graph; readonly factors: readonly string[] } {
  const graph = new Graph();
  const factors = products.map(({ node: { op, domain, inputs, attributes } }, i) => {
    const width = WIDTH[op]!(attributes, externals.get(inputs[1]!)!.shape);
    const x = graph.input(`x${i}`, TYPE.f32, attributes["transA"] === 1 ? [width, 1] : [1, width]);
    const end = inputs.findIndex((name, at) => at > 0 && !externals.has(name));
    const constants = inputs.slice(1, end < 0 ? undefined : end).map((name) => {
      const { location, type, shape } = externals.get(name)!;
      return graph.external(location, type, shape);
    });
    graph.output(`y${i}`, graph.node(op, [x, ...constants], attributes, domain), TYPE.f32);
    return constants[0]!;
  });
  return { graph, factors };
}
